"""One file, one published scheme; the file's name is the scheme's id everywhere."""
