/* What a model's tokens stand for, for people: bytes, text of a tokenizer, or numbers. */
#ifndef HC_SPEECH_H
#define HC_SPEECH_H

#include "runtime/tokens/tokenizer.h"

typedef struct {
    HcTokenizer *tokenizer; /* the caller's; NULL: bytes, where the vocabulary is so small */
    int64_t vocabulary;     /* of the model */
} HcSpeech;

/* The tokens to begin with; *said is what of them is shown, the caller's to free. */
HcStatus hc_speech_prompt(const HcSpeech *speech, const char *prompt, size_t length,
                          HcTokens *tokens, char **said, size_t *said_length, HcError *error);
/* Whether it stands for something: not each number of a vocabulary must. */
bool hc_speech_has(const HcSpeech *speech, int64_t token);

enum { HC_SPEECH_ROOM = 24 };
/* Room is for what is no text anywhere. */
const char *hc_speech_of(const HcSpeech *speech, int32_t token, char room[HC_SPEECH_ROOM],
                         size_t *length);

#endif
