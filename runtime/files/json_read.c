#include "runtime/files/json_read.h"
#include "runtime/files/json.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64, LONGEST_NUMBER = 400 };

typedef struct {
    const char *text, *at, *end;
    uint64_t left; /* values that may still come */
    int depth;
    HcJsonRead *read;
} Scan;

static json_t *failed(Scan *s, HcJsonOutcome outcome, const char *what) {
    if (s->read->outcome == HC_JSON_READ) { /* the first counts */
        s->read->outcome = outcome;
        s->read->what = what;
        s->read->line = 1;
        for (const char *c = s->text; c < s->at; c++)
            s->read->line += *c == '\n';
    }
    return NULL;
}

static json_t *wrong(Scan *s, const char *what) {
    return failed(s, HC_JSON_WRONG, what);
}

static json_t *made(Scan *s, json_t *value) {
    return value ? value : failed(s, HC_JSON_NO_MEMORY, "out of memory");
}

static char next(Scan *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
    return s->at < s->end ? *s->at : 0;
}

static bool take(Scan *s, char c) {
    if (next(s) != c || s->at == s->end)
        return false;
    s->at++;
    return true;
}

/* --- strings -----------------------------------------------------------------------------------*/

/* The four digits after \u; UINT32_MAX: they are none. */
static uint32_t code_unit(const char *at, const char *end) {
    uint32_t unit = 0;
    if (end - at < 4)
        return UINT32_MAX;
    for (int k = 0; k < 4; k++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = at[k] ? strchr(digits, at[k]) : NULL;
        if (!digit)
            return UINT32_MAX;
        uint32_t value = (uint32_t)(digit - digits);
        unit = unit << 4 | (value < 16 ? value : value - 6);
    }
    return unit;
}

static char *put_utf8(char *to, uint32_t point) {
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (char)(0xe0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    } else {
        *to++ = (char)(0xf0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3f));
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    }
    return to;
}

/* What a \ begins, `at` being behind it. NULL: nothing. */
static char *take_escape(Scan *s, char *to) {
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    char c = s->at < s->end ? *s->at++ : 0;
    if (c != 'u') {
        const char *found = c ? strchr(from, c) : NULL;
        if (!found)
            return NULL;
        *to = into[found - from];
        return to + 1;
    }
    uint32_t unit = code_unit(s->at, s->end);
    if (unit == UINT32_MAX || unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return NULL;
    s->at += 4;
    if (unit < 0xd800 || unit > 0xdbff)
        return put_utf8(to, unit);
    if (s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
        return NULL;
    uint32_t low = code_unit(s->at + 2, s->end);
    if (low < 0xdc00 || low > 0xdfff)
        return NULL;
    s->at += 6;
    return put_utf8(to, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
}

/* The text of a string whose first " was taken, to be freed. It is nowhere longer than as it was
 * written. */
static char *take_string(Scan *s, size_t *length) {
    const char *close = s->at;
    while (close < s->end && *close != '"')
        close += *close == '\\' ? 2 : 1;
    if (close >= s->end)
        return (char *)wrong(s, "a string does not end");
    char *text = malloc((size_t)(close - s->at) + 1), *to = text;
    if (!text)
        return (char *)made(s, NULL);
    while (to && s->at < close) {
        if (*s->at == '\\') {
            s->at++;
            to = take_escape(s, to);
            continue;
        }
        size_t n = (unsigned char)*s->at < ' ' ? 0 : hc_utf8_length(s->at, (size_t)(close - s->at));
        if (n)
            memcpy(to, s->at, n);
        to = n ? to + n : NULL;
        s->at += n;
    }
    if (!to) {
        free(text);
        return (char *)wrong(s, "a string holds what it must not");
    }
    s->at = close + 1;
    *to = 0;
    *length = (size_t)(to - text);
    return text;
}

static json_t *string(Scan *s) {
    size_t length;
    char *text = take_string(s, &length);
    json_t *value = text ? made(s, json_stringn_nocheck(text, length)) : NULL;
    free(text);
    return value;
}

/* --- numbers -----------------------------------------------------------------------------------*/

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *at) {
    while (is_digit(*at))
        at++;
    return at;
}

/* Where the number that `text` is ends; NULL: it is none. *whole: without point and exponent. */
static const char *number_end(const char *text, bool *whole) {
    const char *at = *text == '-' ? text + 1 : text;
    if (!is_digit(*at))
        return NULL;
    at = *at == '0' ? at + 1 : skip_digits(at);
    *whole = true;
    if (*at == '.') {
        *whole = false;
        if (!is_digit(*++at))
            return NULL;
        at = skip_digits(at);
    }
    if (*at == 'e' || *at == 'E') {
        *whole = false;
        at += at[1] == '+' || at[1] == '-' ? 2 : 1;
        if (!is_digit(*at))
            return NULL;
        at = skip_digits(at);
    }
    return at;
}

static json_t *number(Scan *s) {
    char text[LONGEST_NUMBER + 1];
    size_t n = 0, left = (size_t)(s->end - s->at);
    while (n < left && n < LONGEST_NUMBER && strchr("+-.0123456789eE", s->at[n]) && s->at[n])
        n++;
    memcpy(text, s->at, n);
    text[n] = 0;
    bool whole;
    if (number_end(text, &whole) != text + n)
        return wrong(s, "a value was expected");
    char *end, *point = strchr(text, '.');
    json_t *value;
    if (whole) {
        errno = 0;
        long long integer = strtoll(text, &end, 10);
        if (errno == ERANGE)
            return wrong(s, "a whole number does not fit into 64 bits");
        value = json_integer(integer);
    } else {
        if (point) /* as strtod wants it here; a longer point would not be one character */
            *point = localeconv()->decimal_point[0];
        double real = strtod(text, &end);
        if (!isfinite(real))
            return wrong(s, "a number is too large");
        value = json_real(real);
    }
    s->at += n;
    return made(s, value);
}

/* --- values ------------------------------------------------------------------------------------*/

static json_t *any_value(Scan *s);

static json_t *list(Scan *s) {
    json_t *array = made(s, json_array());
    bool more = array && !take(s, ']');
    while (more) {
        json_t *value = any_value(s);
        if (value && json_array_append_new(array, value) != 0)
            value = made(s, NULL);
        more = value && take(s, ',');
        if (!value || (!more && !take(s, ']'))) {
            json_decref(array);
            return wrong(s, "a list goes on with `,` or ends with `]`");
        }
    }
    return array;
}

static json_t *member(Scan *s, json_t *object) {
    size_t length;
    char *key = take(s, '"') ? take_string(s, &length) : (char *)wrong(s, "a name was expected");
    if (!key)
        return NULL;
    json_t *value = NULL;
    if (strlen(key) != length || json_object_get(object, key))
        wrong(s, "a name is there twice, or holds a NUL");
    else if (!take(s, ':'))
        wrong(s, "a name is followed by `:`");
    else
        value = any_value(s);
    if (value && json_object_set_new_nocheck(object, key, value) != 0)
        value = made(s, NULL);
    free(key);
    return value;
}

static json_t *object(Scan *s) {
    json_t *object = made(s, json_object());
    bool more = object && !take(s, '}');
    while (more) {
        bool good = member(s, object) != NULL;
        more = good && take(s, ',');
        if (!good || (!more && !take(s, '}'))) {
            json_decref(object);
            return wrong(s, "an object goes on with `,` or ends with `}`");
        }
    }
    return object;
}

static json_t *word(Scan *s) {
    static const char *const words[] = {"true", "false", "null"};
    for (int k = 0; k < 3; k++) {
        size_t n = strlen(words[k]);
        if ((size_t)(s->end - s->at) >= n && memcmp(s->at, words[k], n) == 0) {
            s->at += n;
            return k == 0 ? json_true() : k == 1 ? json_false() : json_null();
        }
    }
    return number(s);
}

static json_t *any_value(Scan *s) {
    if (s->left-- == 0)
        return failed(s, HC_JSON_TOO_MANY, "it holds too many values");
    if (s->depth == DEEPEST)
        return wrong(s, "lists and objects are too deep");
    s->depth++;
    json_t *value = take(s, '{')   ? object(s)
                    : take(s, '[') ? list(s)
                    : take(s, '"') ? string(s)
                                   : word(s);
    s->depth--;
    return value;
}

json_t *hc_json_read(const char *text, size_t length, uint64_t most, HcJsonRead *read) {
    Scan s = {text, text, text + length, most, 0, read};
    *read = (HcJsonRead){HC_JSON_READ, 0, NULL};
    json_t *value = any_value(&s);
    next(&s);
    if (value && s.at < s.end) {
        json_decref(value);
        return wrong(&s, "something follows its end");
    }
    return value;
}
