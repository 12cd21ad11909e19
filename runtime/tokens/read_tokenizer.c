/* tokenizer.json, as the `tokenizers` package keeps it: what is in it is used, known to be without
 * effect, or refused by its name. */
#include "runtime/files/json_file.h"
#include "runtime/tokens/vocabulary.h"

#include <stdlib.h>
#include <string.h>

typedef HcVocabularyReader Reader;

static HcStatus refuse(Reader *r, const char *part, const char *what) {
    return hc_fail(r->error, HC_ERROR_DATA, "its `%s` is %s, which is not supported", part, what);
}

static const char *type_of(const json_t *part) {
    const char *type = json_string_value(json_object_get(part, "type"));
    return type ? type : "no object with a `type`";
}

static bool among(const char *name, const char *const *names) {
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* Each member is one that is known: `names` ends with NULL. */
static HcStatus check_members(Reader *r, const json_t *object, const char *part,
                              const char *const *names) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (!among(key, names) && !json_is_null(value))
            return hc_fail(r->error, HC_ERROR_DATA,
                           "its `%s%s%s` is nothing that is known here, so what it changes is not "
                           "either",
                           part, *part ? "." : "", key);
    }
    return HC_OK;
}

static bool flag(const json_t *object, const char *key, bool otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static bool said(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

/* --- the model --------------------------------------------------------------------------------*/

static bool has_all_bytes(const HcTokenizer *t) {
    for (int k = 0; k < 256; k++)
        if (t->byte_tokens[k] < 0)
            return false;
    return true;
}

static HcStatus read_model(Reader *r, const json_t *model) {
    static const char *const names[] = {"type",
                                        "dropout",
                                        "unk_token",
                                        "continuing_subword_prefix",
                                        "end_of_word_suffix",
                                        "fuse_unk",
                                        "byte_fallback",
                                        "ignore_merges",
                                        "vocab",
                                        "merges",
                                        NULL};
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const char *type = json_string_value(json_object_get(model, "type"));
    if (!json_is_object(model) || (type && strcmp(type, "BPE") != 0))
        return refuse(r, "model", type ? type : "no object");
    HcStatus status = check_members(r, model, "model", names);
    if (status == HC_OK && json_number_value(json_object_get(model, "dropout")) != 0)
        status = refuse(r, "model.dropout", "not 0: its tokens are drawn at random");
    for (int k = 0; k < 2 && status == HC_OK; k++) {
        const json_t *affix = json_object_get(model, affixes[k]);
        if (affix && !json_is_null(affix) && json_string_length(affix))
            status = refuse(r, "model", affixes[k]);
    }
    r->t->ignore_merges = flag(model, "ignore_merges", false);
    if (status == HC_OK)
        status = hc_vocabulary_read(r, json_object_get(model, "vocab"));
    if (status == HC_OK)
        status = hc_vocabulary_merges(r, json_object_get(model, "merges"));
    if (status == HC_OK && !has_all_bytes(r->t) &&
        (said(model, "unk_token") || flag(model, "byte_fallback", false)))
        status = refuse(r, "model",
                        "one with `unk_token` or `byte_fallback` for bytes without a "
                        "token");
    return status;
}

/* --- added tokens ------------------------------------------------------------------------------*/

static HcStatus read_added(Reader *r, const json_t *added) {
    static const char *const names[] = {"id",     "content",    "single_word", "lstrip",
                                        "rstrip", "normalized", "special",     NULL};
    static const char *const stripping[] = {"single_word", "lstrip", "rstrip"};
    const json_t *id = json_object_get(added, "id"), *content = json_object_get(added, "content");
    HcStatus status = check_members(r, added, "added_tokens", names);
    if (status != HC_OK)
        return status;
    if (!json_is_integer(id) || !json_is_string(content))
        return hc_fail(r->error, HC_ERROR_DATA, "one of its `added_tokens` has no id and content");
    const char *text = json_string_value(content);
    for (int k = 0; k < 3; k++)
        if (flag(added, stripping[k], false))
            return hc_fail(r->error, HC_ERROR_DATA,
                           "its added token `%.40s` has `%s`, which is not supported", text,
                           stripping[k]);
    /* in the vocabulary it may be, too, under the same number */
    return hc_tokenizer_add_text(r->t, text, json_string_length(content), json_integer_value(id),
                                 flag(added, "normalized", !flag(added, "special", false)),
                                 r->error);
}

static HcStatus read_all_added(Reader *r, const json_t *list) {
    size_t index;
    json_t *added;
    HcStatus status = HC_OK;
    json_array_foreach(list, index, added) {
        if (status == HC_OK)
            status = read_added(r, added);
    }
    return status;
}

/* --- how text is cut ---------------------------------------------------------------------------*/

static HcStatus add_pattern(Reader *r, HcCutKind kind, const char *text, size_t length) {
    HcPattern *pattern;
    HcStatus status = hc_pattern_make(text, length, "its `pre_tokenizer`", &pattern, r->error);
    return status == HC_OK ? hc_tokenizer_cut(r->t, kind, pattern, r->error) : status;
}

static HcStatus read_split(Reader *r, const json_t *part) {
    static const char *const names[] = {"type", "pattern", "behavior", "invert", NULL};
    const json_t *pattern = json_object_get(part, "pattern"),
                 *regex = json_object_get(pattern, "Regex"),
                 *plain = json_object_get(pattern, "String");
    const char *behavior = json_string_value(json_object_get(part, "behavior"));
    const bool invert = flag(part, "invert", false);
    HcCutKind kind = HC_CUT_APART;
    HcStatus status = check_members(r, part, "pre_tokenizer.Split", names);
    if (status != HC_OK)
        return status;
    if (behavior && strcmp(behavior, "Removed") == 0 && invert)
        kind = HC_CUT_KEEP;
    else if (!behavior || strcmp(behavior, "Isolated") != 0)
        return refuse(r, "pre_tokenizer.Split.behavior", behavior ? behavior : "no text");
    if (json_is_string(regex))
        return add_pattern(r, kind, json_string_value(regex), json_string_length(regex));
    if (!json_is_string(plain))
        return refuse(r, "pre_tokenizer.Split.pattern", "neither a Regex nor a String");
    HcPattern *made;
    status = hc_pattern_make_plain(json_string_value(plain), json_string_length(plain),
                                   "its `pre_tokenizer`", &made, r->error);
    return status == HC_OK ? hc_tokenizer_cut(r->t, kind, made, r->error) : status;
}

static HcStatus read_byte_level(Reader *r, const json_t *part) {
    static const char *const names[] = {"type", "add_prefix_space", "trim_offsets", "use_regex",
                                        NULL};
    HcStatus status = check_members(r, part, "pre_tokenizer.ByteLevel", names);
    if (status == HC_OK && flag(part, "add_prefix_space", true))
        status = hc_tokenizer_cut(r->t, HC_CUT_PREFIX, NULL, r->error);
    return status == HC_OK && flag(part, "use_regex", true)
               ? add_pattern(r, HC_CUT_APART, hc_pattern_gpt2, strlen(hc_pattern_gpt2))
               : status;
}

static HcStatus read_digits(Reader *r, const json_t *part) {
    static const char *const names[] = {"type", "individual_digits", NULL};
    const char *pattern = flag(part, "individual_digits", false) ? "\\p{N}" : "\\p{N}+";
    HcStatus status = check_members(r, part, "pre_tokenizer.Digits", names);
    return status == HC_OK ? add_pattern(r, HC_CUT_APART, pattern, strlen(pattern)) : status;
}

/* `last`: it must make bytes of characters, and no other may. */
static HcStatus read_step(Reader *r, const json_t *part, bool last) {
    const char *type = type_of(part);
    const bool bytes = strcmp(type, "ByteLevel") == 0;
    if (bytes != last)
        return refuse(r, "pre_tokenizer", bytes ? "ByteLevel before other steps" : type);
    return bytes                         ? read_byte_level(r, part)
           : strcmp(type, "Split") == 0  ? read_split(r, part)
           : strcmp(type, "Digits") == 0 ? read_digits(r, part)
                                         : refuse(r, "pre_tokenizer", type);
}

static HcStatus read_pre_tokenizer(Reader *r, const json_t *part) {
    static const char *const names[] = {"type", "pretokenizers", NULL};
    const json_t *steps = json_object_get(part, "pretokenizers");
    if (!part || json_is_null(part))
        return refuse(r, "pre_tokenizer", "none: its tokens are of characters, not of bytes");
    if (strcmp(type_of(part), "Sequence") != 0)
        return read_step(r, part, true);
    HcStatus status = check_members(r, part, "pre_tokenizer", names);
    const size_t n = json_array_size(steps);
    if (status == HC_OK && n == 0)
        status = refuse(r, "pre_tokenizer", "a Sequence of nothing");
    for (size_t k = 0; k < n && status == HC_OK; k++)
        status = read_step(r, json_array_get(steps, k), k + 1 == n);
    return status;
}

/* --- what is put around a text -----------------------------------------------------------------*/

/* {"SpecialToken": {"id": "<s>", "type_id": 0}}, whose numbers stand beside it. */
static HcStatus add_special(Reader *r, const json_t *named, const json_t *special, bool after) {
    const char *name = json_string_value(json_object_get(named, "id"));
    const json_t *ids = name ? json_object_get(json_object_get(special, name), "ids") : NULL;
    size_t index;
    json_t *id;
    if (!json_is_array(ids))
        return refuse(r, "post_processor", "a template with a token that it does not explain");
    json_array_foreach(ids, index, id) {
        size_t count;
        if (!json_is_integer(id) || !hc_tokenizer_bytes(r->t, json_integer_value(id), &count))
            return refuse(r, "post_processor", "a template with a token that is not there");
        if (!hc_tokens_push(after ? &r->t->after : &r->t->before, (int32_t)json_integer_value(id)))
            return hc_fail_memory(r->error, "a tokenizer");
    }
    return HC_OK;
}

static HcStatus read_template(Reader *r, const json_t *part) {
    static const char *const names[] = {"type", "single", "pair", "special_tokens", NULL};
    const json_t *single = json_object_get(part, "single"),
                 *special = json_object_get(part, "special_tokens");
    bool after = false;
    size_t index;
    json_t *piece;
    HcStatus status = check_members(r, part, "post_processor.TemplateProcessing", names);
    json_array_foreach(single, index, piece) {
        const json_t *named = json_object_get(piece, "SpecialToken");
        if (status == HC_OK && named)
            status = add_special(r, named, special, after);
        else if (status == HC_OK && (after || !json_object_get(piece, "Sequence")))
            status = refuse(r, "post_processor", "a template that is not of one text");
        after = after || !named;
    }
    return status == HC_OK && !after ? refuse(r, "post_processor", "a template without the text")
                                     : status;
}

/* ByteLevel is about offsets alone. */
static HcStatus read_post_step(Reader *r, const json_t *part) {
    const char *type = type_of(part);
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(r, part);
    return strcmp(type, "ByteLevel") == 0 ? HC_OK : refuse(r, "post_processor", type);
}

static HcStatus read_post_processor(Reader *r, const json_t *part) {
    size_t index;
    json_t *step;
    HcStatus status = HC_OK;
    if (!part || json_is_null(part))
        return HC_OK;
    if (strcmp(type_of(part), "Sequence") != 0)
        return read_post_step(r, part);
    json_array_foreach(json_object_get(part, "processors"), index, step) {
        if (status == HC_OK)
            status = read_post_step(r, step);
    }
    return status;
}

/* --- all of it ---------------------------------------------------------------------------------*/

static HcStatus check_decoder(Reader *r, const json_t *part) {
    if (part && !json_is_null(part) && strcmp(type_of(part), "Sequence") == 0) {
        const json_t *steps = json_object_get(part, "decoders");
        part = json_array_size(steps) == 1 ? json_array_get(steps, 0) : part;
    }
    return !part || json_is_null(part) || strcmp(type_of(part), "ByteLevel") == 0
               ? HC_OK
               : refuse(r, "decoder", type_of(part));
}

static HcStatus check_parts(Reader *r, const json_t *json) {
    static const char *const names[] = {
        "version",       "truncation",     "padding", "added_tokens", "normalizer",
        "pre_tokenizer", "post_processor", "decoder", "model",        NULL};
    static const char *const refused[] = {"truncation", "padding"};
    const json_t *normalizer = json_object_get(json, "normalizer");
    HcStatus status = check_members(r, json, "", names);
    for (int k = 0; k < 2 && status == HC_OK; k++)
        if (said(json, refused[k]))
            status = refuse(r, refused[k], "set");
    if (status == HC_OK && said(json, "normalizer"))
        status = refuse(r, "normalizer", type_of(normalizer));
    return status == HC_OK ? check_decoder(r, json_object_get(json, "decoder")) : status;
}

static HcStatus read_all(Reader *r, const json_t *json) {
    HcStatus status = check_parts(r, json);
    if (status == HC_OK)
        status = read_model(r, json_object_get(json, "model"));
    if (status == HC_OK)
        status = read_all_added(r, json_object_get(json, "added_tokens"));
    if (status == HC_OK)
        status = read_pre_tokenizer(r, json_object_get(json, "pre_tokenizer"));
    if (status == HC_OK)
        status = read_post_processor(r, json_object_get(json, "post_processor"));
    return status;
}

HcStatus hc_tokenizer_read_json(HcTokenizer *t, const char *path, HcError *error) {
    HcError inside = {0};
    Reader r = {.t = t, .error = &inside};
    json_t *json;
    HcStatus status = hc_json_file(path, &json, error);
    if (status != HC_OK)
        return status;
    status = hc_in_tokenizer_file(path, read_all(&r, json), &inside, error);
    json_decref(json);
    free(r.room);
    return status;
}
