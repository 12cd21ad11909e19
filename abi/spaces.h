/* Spaces of positions: how the words of words.def that are of one are counted. */
#ifndef HC_SPACES_H
#define HC_SPACES_H

/* That a model has at most. Space 0 is the one that `position` and `time` are of, and windows of
 * data and sampled text; the next are called `position2`, and so on. */
enum { HC_SPACES_MOST = 8 };

/* A domain of space s is so many rows behind that of space 0, and so is a region, but that those of
 * further spaces stand behind all others. */
enum { HC_WORDS_OF_SPACE = 2 };

#endif
