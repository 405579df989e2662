mod publishing;
mod stories;
