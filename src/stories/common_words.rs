//! Words that say nothing of what a title is about, folded. In the languages of the shipped watch, and
//! those of its neighbours; a language without a list only makes titles look a little more alike.

/// Sorted, for binary search.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "aber", "about", "afin", "after", "again", "ainsi", "al", "all", "alla", "alle", "alors", "als", "also", "am",
    "amid", "an", "anche", "and", "annonce", "annoncent", "announce", "announced", "announces", "announcing",
    "ante", "any", "apres", "are", "as", "ask", "at", "au", "auch", "aucun", "auf", "aus", "aussi", "autre",
    "autres", "aux", "avant", "avec", "avoir", "be", "been", "before", "bei", "being", "bien", "bis", "but", "by",
    "ca", "can", "car", "ce", "cela", "ces", "cet", "cette", "ceux", "che", "chez", "chi", "ci", "comme", "comment",
    "como", "con", "contra", "contre", "could", "cuando", "da", "dal", "dalla", "dans", "das", "dass", "de", "dei",
    "deja", "del", "della", "delle", "dem", "den", "depuis", "der", "des", "desde", "deux", "devoile", "devoilent",
    "di", "did", "die", "do", "doch", "does", "donc", "donde", "down", "du", "durch", "ed", "ein", "eine", "einem",
    "einen", "einer", "eines", "el", "ella", "elle", "elles", "en", "encore", "entre", "er", "era", "es", "est",
    "esta", "este", "estos", "et", "etait", "etat", "ete", "etre", "eu", "faire", "fait", "for", "from", "fue",
    "fur", "gegen", "get", "gets", "gli", "ha", "hacia", "had", "han", "has", "hasta", "hat", "have", "hay", "he",
    "her", "here", "his", "hn", "how", "ich", "if", "ihr", "il", "ils", "im", "in", "into", "introduce",
    "introduces", "introducing", "is", "ist", "it", "its", "ja", "je", "just", "kein", "la", "lance", "lancent",
    "las", "launch", "launched", "launches", "launching", "le", "les", "leur", "leurs", "live", "lo", "lors", "los",
    "lui", "ma", "mais", "mas", "may", "me", "mehr", "meme", "mes", "might", "mit", "moins", "mon", "more", "most",
    "muy", "nach", "ne", "nei", "nel", "nella", "new", "news", "nicht", "no", "noch", "non", "nos", "not", "notre",
    "nous", "now", "nun", "nur", "ob", "oder", "of", "off", "ohne", "on", "one", "only", "ont", "or", "ou", "our",
    "out", "over", "own", "par", "para", "pas", "per", "pero", "peu", "peut", "piu", "plus", "por", "porque",
    "pour", "pourquoi", "qu", "quand", "que", "quel", "quelle", "quelles", "quels", "qui", "quoi", "read",
    "release", "released", "releases", "sa", "said", "sans", "say", "says", "se", "sein", "selon", "ser", "ses",
    "she", "show", "si", "sich", "sie", "sin", "sind", "so", "sobre", "soll", "sollen", "some", "son", "sono",
    "sont", "sous", "still", "su", "sul", "sulla", "sur", "sus", "ta", "tell", "than", "that", "the", "their",
    "them", "then", "there", "these", "they", "this", "those", "to", "today", "too", "tous", "tout", "toute",
    "toutes", "tra", "tras", "tres", "uber", "um", "un", "una", "und", "under", "une", "uno", "unos", "unter", "up",
    "update", "updates", "us", "use", "uses", "using", "va", "vers", "via", "voici", "vom", "von", "vor", "vos",
    "votre", "vous", "vs", "was", "watch", "way", "we", "weiter", "wenn", "wer", "werden", "were", "what", "when",
    "where", "which", "while", "who", "why", "wie", "will", "wir", "wird", "with", "wo", "would", "ya", "yet",
    "you", "your", "zu", "zum", "zur",
];

/// Han characters of grammar: a pair that holds one is a seam between words, not a word.
const HAN: &[char] = &[
    '的', '了', '是', '在', '和', '与', '也', '将', '被', '就', '那', '这', '有', '我', '你', '他', '她', '为', '对',
    '中', '上', '下', '不', '或', '并', '而', '及', '其', '已', '于', '把', '让', '都', '还', '又', '很',
];

/// Where the words that begin with each letter begin: a title's words are all sought, so among few.
const BEGINS: [usize; 27] = {
    let mut begins = [0; 27];
    let (mut letter, mut word) = (0, 0);
    while letter < 26 {
        while word < WORDS.len() && (WORDS[word].as_bytes()[0] - b'a') as usize == letter {
            word += 1;
        }
        letter += 1;
        begins[letter] = word;
    }
    begins
};

/// Whether a folded word is one of them. Words of one letter are.
pub(super) fn is_common(word: &str) -> bool {
    let [first @ b'a'..=b'z', rest @ ..] = word.as_bytes() else {
        let mut letters = word.chars();
        return letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none();
    };
    let letter = usize::from(first - b'a');
    rest.is_empty() || WORDS[BEGINS[letter]..BEGINS[letter + 1]].binary_search(&word).is_ok()
}

/// Whether a Han character is one of grammar.
pub(super) fn is_common_han(character: char) -> bool {
    HAN.contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_for_the_search() {
        assert!(WORDS.is_sorted());
        assert!(WORDS.iter().all(|word| is_common(word)));
        assert!(is_common("the") && is_common("que") && is_common("x") && !is_common("7") && !is_common("mistral"));
        assert!(
            is_common("é")
                && !is_common("éa")
                && !is_common("")
                && !is_common("zzz")
                && !is_common("aaa")
                && !is_common("xa")
        );
    }
}
