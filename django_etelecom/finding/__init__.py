"""Finding messages: by what they are asked for, and how they are read at any number of them."""
