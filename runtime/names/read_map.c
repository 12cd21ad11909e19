/* The text of a map of names: a line a rule, which lines that begin with a blank go on with. */
#include "runtime/files/json_file.h"
#include "runtime/names/name_map.h"
#include "runtime/names/pattern.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *path, *begin, *at;
    HcMapRule *rule;
    HcError *error;
} Reader;

/* --- where it is wrong -------------------------------------------------------------------------*/

static HcStatus wrong_at(const Reader *r, const char *at, const char *what) {
    int line = 1;
    const char *begin = r->begin;
    for (const char *c = r->begin; c < at; c++)
        if (*c == '\n') {
            line++;
            begin = c + 1;
        }
    return hc_fail(r->error, HC_ERROR_DATA, "%s:%d:%d: %s", r->path, line, (int)(at - begin) + 1,
                   what);
}

static HcStatus wrong(const Reader *r, const char *what) {
    return wrong_at(r, r->at, what);
}

static HcStatus no_memory(const Reader *r) {
    return hc_fail_memory(r->error, "the map of names");
}

/* --- words -------------------------------------------------------------------------------------*/

/* Past blanks, comments and the ends of lines that are gone on with. */
static void skip_blanks(Reader *r) {
    for (;;) {
        while (*r->at == ' ' || *r->at == '\t' || *r->at == '\r')
            r->at++;
        if (*r->at == '#')
            r->at += strcspn(r->at, "\n");
        const char *next = r->at + (*r->at == '\n');
        if (next == r->at || (*next != ' ' && *next != '\t'))
            return;
        r->at = next;
    }
}

static bool at_end(const Reader *r) {
    return *r->at == '\n' || !*r->at;
}

static bool take(Reader *r, char sign) {
    skip_blanks(r);
    if (*r->at != sign)
        return false;
    r->at++;
    return true;
}

/* Letters, digits and `_`, as axes are called. */
static size_t word_length(const char *at) {
    size_t n = 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_')
        n++;
    return n;
}

static bool take_word(Reader *r, const char *word) {
    skip_blanks(r);
    const size_t n = strlen(word);
    if (strncmp(r->at, word, n) != 0 || (r->at[n] && !isspace((unsigned char)r->at[n])))
        return false;
    r->at += n;
    return true;
}

/* --- axes --------------------------------------------------------------------------------------*/

static HcStatus new_axis(Reader *r, HcAxisKind kind, uint8_t *place) {
    *place = HC_MAP_NONE;
    if (r->rule->n_axes == HC_MAP_NODES)
        return wrong(r, "there are too many axes in one line");
    *place = (uint8_t)r->rule->n_axes++;
    r->rule->axes[*place] = (HcAxis){kind, 0, HC_MAP_NONE, HC_MAP_NONE};
    return HC_OK;
}

static HcStatus read_name(Reader *r, uint8_t *place) {
    HcMapRule *rule = r->rule;
    const size_t n = word_length(r->at);
    const bool one = n == 1 && *r->at == '1';
    if (n == 0)
        return wrong(r, "expected the name of an axis");
    if (!one && isdigit((unsigned char)*r->at))
        return wrong(r, "an axis has a name; of numbers only `1` may stand for one");
    HcStatus status = new_axis(r, one ? HC_AXIS_ONE : HC_AXIS_NAME, place);
    int k = 0;
    while (k < rule->n_names &&
           (strlen(rule->names[k]) != n || memcmp(rule->names[k], r->at, n) != 0))
        k++;
    if (status != HC_OK || one) {
        r->at += one;
        return status;
    }
    if (k == HC_MAP_NAMES)
        return wrong(r, "there are too many names of axes in one line");
    if (k == rule->n_names && !(rule->names[rule->n_names++] = strndup(r->at, n)))
        return no_memory(r);
    rule->axes[*place].name = (uint8_t)k;
    r->at += n;
    return HC_OK;
}

static HcStatus read_axes(Reader *r, char end, uint8_t *first);

static HcStatus read_product(Reader *r, uint8_t *place) {
    uint8_t first;
    HcStatus status = new_axis(r, HC_AXIS_PRODUCT, place);
    if (status == HC_OK)
        status = read_axes(r, '|', &first);
    if (status == HC_OK)
        r->rule->axes[*place].inside = first;
    return status;
}

/* Behind `(`: axes in one, or such as stand one behind the other. */
static HcStatus read_inside(Reader *r, uint8_t *place) {
    HcStatus status = read_product(r, place);
    if (status != HC_OK || take(r, ')'))
        return status;
    uint8_t last = *place, next; /* so it is a join, of which that was the first */
    status = new_axis(r, HC_AXIS_JOIN, place);
    if (status == HC_OK)
        r->rule->axes[*place].inside = last;
    while (status == HC_OK && take(r, '|')) {
        status = read_product(r, &next);
        if (status == HC_OK)
            r->rule->axes[last].next = next;
        last = next;
    }
    return status != HC_OK || take(r, ')') ? status : wrong(r, "expected `)`");
}

/* Up to `end`, `)` or `]`, which stay; commas between them mean nothing. */
static HcStatus read_axes(Reader *r, char end, uint8_t *first) {
    uint8_t last = HC_MAP_NONE, place = HC_MAP_NONE;
    HcStatus status = HC_OK;
    *first = HC_MAP_NONE;
    for (;;) {
        while (take(r, ','))
            continue;
        if (at_end(r) || strchr(")]", *r->at) || *r->at == end)
            return HC_OK;
        status = take(r, '(') ? read_inside(r, &place) : read_name(r, &place);
        if (status != HC_OK)
            return status;
        if (last == HC_MAP_NONE)
            *first = place;
        else
            r->rule->axes[last].next = place;
        last = place;
    }
}

/* --- sides -------------------------------------------------------------------------------------*/

static HcStatus read_part(Reader *r, HcMapPart *part, bool any) {
    skip_blanks(r);
    const char *begin = r->at;
    const size_t n = strcspn(r->at, " \t\r\n[]|=#,");
    *part = (HcMapPart){.name = strndup(r->at, n), .axes = HC_MAP_NONE};
    if (!part->name)
        return no_memory(r);
    const char *why = hc_pattern_wrong(part->name, any);
    if (why)
        return wrong(r, why);
    r->at += n;
    part->shaped = take(r, '[');
    if (!part->shaped)
        return HC_OK;
    if (any)
        return wrong_at(r, begin, "what has nothing to stand for has no axes");
    HcStatus status = read_axes(r, ']', &part->axes);
    return status != HC_OK || take(r, ']') ? status : wrong(r, "expected `]`");
}

static HcStatus read_side(Reader *r, HcMapSide *side) {
    do {
        if (side->count == HC_MAP_PARTS)
            return wrong(r, "at most 8 tensors are joined into one");
        HcStatus status = read_part(r, &side->parts[side->count++], false);
        if (status != HC_OK)
            return status;
    } while (take(r, '|'));
    return HC_OK;
}

/* --- what a line must keep to ------------------------------------------------------------------*/

/* How often each name stands in the axes from `first` on, of a join in its k-th part alone. *joins:
 * how many parts the joins have, those of each counted. */
static void count_names(const HcMapRule *rule, uint8_t first, int k, int *times, int *joins,
                        int *parts) {
    for (uint8_t at = first; at != HC_MAP_NONE; at = rule->axes[at].next) {
        const HcAxis *axis = &rule->axes[at];
        uint8_t inside = axis->inside;
        if (axis->kind == HC_AXIS_NAME)
            times[axis->name]++;
        if (axis->kind != HC_AXIS_JOIN) {
            count_names(rule, inside, k, times, joins, parts);
            continue;
        }
        ++*joins;
        *parts = 0;
        for (uint8_t part = inside; part != HC_MAP_NONE; part = rule->axes[part].next)
            if ((*parts)++ == k)
                count_names(rule, rule->axes[part].inside, k, times, joins, parts);
    }
}

/* The k-th part of one side has the axes that its place on the other has, each once. */
static const char *part_wrong(const HcMapRule *rule, const HcMapSide *several, const HcMapPart *one,
                              int k) {
    int left[HC_MAP_NAMES] = {0}, right[HC_MAP_NAMES] = {0}, joins = 0, parts = 0;
    count_names(rule, several->parts[k].axes, k, left, &joins, &parts);
    if (joins > 0)
        return "one side joins parts, and the other is the parts";
    count_names(rule, one->axes, k, right, &joins, &parts);
    if (several->count == 1 ? joins != 0 : joins != 1 || parts != several->count)
        return "a join has as many parts as there are tensors on the other side";
    for (int name = 0; name < rule->n_names; name++) {
        if (left[name] != right[name])
            return "both sides have the same axes, of each tensor";
        if (left[name] > 1)
            return "an axis stands once in each tensor";
    }
    return NULL;
}

static const char *axes_wrong(const HcMapRule *rule) {
    const bool joined = rule->theirs.count > 1;
    const HcMapSide *several = joined ? &rule->theirs : &rule->ours;
    const HcMapSide *one = joined ? &rule->ours : &rule->theirs;
    if (one->count > 1)
        return "one side is a single tensor";
    for (int k = 0; k < several->count; k++) {
        if (several->parts[k].shaped != one->parts[0].shaped ||
            (several->count > 1 && !one->parts[0].shaped))
            return "the axes of both sides are named, or neither's; of parts they are named";
        const char *why =
            several->parts[k].shaped ? part_wrong(rule, several, &one->parts[0], k) : NULL;
        if (why)
            return why;
    }
    return NULL;
}

/* All parts of a side have the same places; theirs are all ours, for a name is made of ours. */
static const char *places_wrong(const HcMapRule *rule) {
    const HcPlaces ours = hc_pattern_places(rule->ours.parts[0].name),
                   theirs = hc_pattern_places(rule->theirs.parts[0].name);
    const HcMapSide *sides[] = {&rule->ours, &rule->theirs};
    for (int s = 0; s < 2; s++) {
        const HcPlaces *first = s ? &theirs : &ours;
        for (int k = 1; k < sides[s]->count; k++) {
            const HcPlaces other = hc_pattern_places(sides[s]->parts[k].name);
            bool same = other.count == first->count;
            for (int p = 0; same && p < other.count; p++)
                same = hc_places_have(first, other.names[p]);
            if (!same)
                return "all tensors of a side have the same places";
        }
    }
    for (int p = 0; p < theirs.count; p++)
        if (!hc_places_have(&ours, theirs.names[p]))
            return "a place in their name has to be one of ours";
    return NULL;
}

/* --- lines -------------------------------------------------------------------------------------*/

static HcStatus read_rule(Reader *r) {
    static const struct {
        const char *word;
        HcRuleKind kind;
    } words[] = {{"maybe", HC_RULE_MAYBE},
                 {"tied", HC_RULE_TIED},
                 {"skip", HC_RULE_SKIP},
                 {"omit", HC_RULE_OMIT}};
    const char *begin = r->at;
    HcMapRule *rule = r->rule;
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (rule->kind == HC_RULE_EQUAL && take_word(r, words[k].word))
            rule->kind = words[k].kind;
    HcStatus status;
    if (rule->kind == HC_RULE_SKIP || rule->kind == HC_RULE_OMIT) {
        HcMapSide *side = rule->kind == HC_RULE_SKIP ? &rule->theirs : &rule->ours;
        status = read_part(r, &side->parts[side->count++], true);
    } else {
        status = read_side(r, &rule->ours);
        if (status == HC_OK && !take(r, '='))
            return wrong(r, "expected `=` between our name and theirs");
        if (status == HC_OK)
            status = read_side(r, &rule->theirs);
        const char *why = status == HC_OK ? axes_wrong(rule) : NULL;
        if (status == HC_OK && !why)
            why = places_wrong(rule);
        if (why)
            return wrong_at(r, begin, why);
    }
    skip_blanks(r);
    return status != HC_OK || at_end(r) ? status : wrong(r, "expected the end of the line");
}

static HcStatus read_rules(Reader *r, HcNameMap *map) {
    int room = 0, line = 1;
    const char *counted = r->at;
    HcStatus status = HC_OK;
    while (status == HC_OK) {
        skip_blanks(r);
        for (; *r->at == '\n'; skip_blanks(r))
            r->at++;
        if (!*r->at)
            return HC_OK;
        if (map->count == room) {
            HcMapRule *grown = realloc(map->rules, (size_t)(room = 2 * room + 8) * sizeof *grown);
            if (!grown)
                return no_memory(r);
            map->rules = grown;
        }
        for (; counted < r->at; counted++)
            line += *counted == '\n';
        r->rule = &map->rules[map->count++];
        *r->rule = (HcMapRule){.line = line};
        status = read_rule(r);
    }
    return status;
}

HcStatus hc_name_map_read(HcNameMap *map, const char *path, HcError *error) {
    char *text = NULL;
    size_t length;
    *map = (HcNameMap){.path = strdup(path)};
    if (!map->path)
        return hc_fail_memory(error, "the map of names");
    HcStatus status = hc_text_file(path, &text, &length, error);
    if (status == HC_OK && strlen(text) != length)
        status = hc_fail(error, HC_ERROR_DATA, "%s: it holds a zero byte: it is no text", path);
    Reader r = {.path = map->path, .begin = text, .at = text, .error = error};
    if (status == HC_OK)
        status = read_rules(&r, map);
    if (status == HC_OK && map->count == 0)
        status = hc_fail(error, HC_ERROR_DATA, "%s: it maps nothing", path);
    free(text);
    return status;
}

static void free_side(HcMapSide *side) {
    for (int k = 0; k < side->count; k++)
        free(side->parts[k].name);
}

void hc_name_map_free(HcNameMap *map) {
    for (int k = 0; k < map->count; k++) {
        free_side(&map->rules[k].ours);
        free_side(&map->rules[k].theirs);
        for (int name = 0; name < map->rules[k].n_names; name++)
            free(map->rules[k].names[name]);
    }
    free(map->rules);
    free(map->path);
    *map = (HcNameMap){0};
}
