/* Reads tensor IR from text (form: tir_text.h). Values are inserted as written, without folding, so
 * a pass can be shown exactly what a test says. Everything is checked: text is not trusted. */
#include "tir/tir_lexer.h"
#include <string.h>

typedef struct {
    TirLexer s;
    TirProgram *p;
} Reader;

/* The names of one block's values. */
typedef struct {
    TirBuilder b;
    Map *ids;
} NamedBlock;

static bool domain_read(Reader *r, const char *text, TirDomain *domain) {
    static const struct {
        const char *prefix;
        bool sample;
    } forms[2] = {{"@pos", true}, {"@time", false}};
    if (strcmp(text, "@sample") == 0) {
        *domain = (TirDomain){1, 0};
        return true;
    }
    for (uint32_t k = 0; k < 2; k++) {
        const size_t n = strlen(forms[k].prefix);
        uint32_t space = 0;
        if (strncmp(text, forms[k].prefix, n) != 0)
            continue;
        for (const char *d = text + n; *d >= '0' && *d <= '9' && space < 256; d++)
            space = space * 10 + (uint32_t)(*d - '0');
        if (space == 0 || space > r->p->spaces.count || space > 255)
            return false;
        *domain = (TirDomain){forms[k].sample, (uint8_t)space};
        return true;
    }
    return false;
}

static TirDomain reader_domain(Reader *r) {
    TirDomain domain = TIR_GLOBAL;
    if (r->s.token.kind == TOKEN_AT) {
        if (domain_read(r, r->s.token.text, &domain))
            tir_lexer_next(&r->s);
        else
            tir_lexer_fail(&r->s, "no such domain");
    }
    return domain;
}

static TirType reader_type(Reader *r) {
    TirType t = {.elem = TIR_REAL};
    if (tir_lexer_word(&r->s, "int"))
        t.elem = TIR_INT;
    else if (tir_lexer_word(&r->s, "bool"))
        t.elem = TIR_BOOL;
    else
        tir_lexer_expect_word(&r->s, "real");
    tir_lexer_expect_sign(&r->s, '[');
    uint64_t count = 1;
    while (!r->s.failed && !tir_lexer_sign(&r->s, ']')) {
        if (t.rank)
            tir_lexer_expect_sign(&r->s, ',');
        if (t.rank == TIR_MAX_RANK) {
            tir_lexer_fail(&r->s, "the rank is too high");
            break;
        }
        t.dims[t.rank] = (uint32_t)tir_lexer_integer(&r->s, 1, UINT32_MAX);
        if (t.dims[t.rank] > TIR_MAX_ELEMENTS / count)
            tir_lexer_fail(&r->s, "the tensor is too large");
        count *= t.dims[t.rank++];
    }
    t.domain = reader_domain(r);
    return t;
}

static const double *reader_data(Reader *r, const TirType *type) {
    VEC(double) data = {0};
    const uint64_t count = tir_element_count(type);
    for (uint64_t k = 0; k < count && !r->s.failed; k++)
        vec_push(r->p->arena, &data, tir_lexer_number(&r->s));
    return data.at;
}

static uint32_t reader_choice(Reader *r, const char *const *names, uint32_t n, const char *what) {
    for (uint32_t k = 0; k < n; k++)
        if (tir_lexer_word(&r->s, names[k]))
            return k;
    tir_lexer_fail(&r->s, arena_printf(r->p->arena, "expected %s", what));
    return 0;
}

/* --- declarations ------------------------------------------------------------------------------*/

static void reader_space(Reader *r) {
    const char *name = tir_lexer_string(&r->s);
    uint32_t extents[2] = {0, 0}, rank = 0;
    while (r->s.token.kind == TOKEN_NUMBER && rank < 2)
        extents[rank++] = (uint32_t)tir_lexer_integer(&r->s, 1, 1 << 15);
    if (rank == 1 || rank == 2)
        tir_add_space(r->p, name, rank, extents);
    else
        tir_lexer_fail(&r->s, "expected the space's extent");
    if (r->p->spaces.count > 255)
        tir_lexer_fail(&r->s, "too many position spaces");
}

static void reader_param(Reader *r) {
    TirParam q = {.lr_scale = 1};
    q.name = tir_lexer_string(&r->s);
    q.group = tir_lexer_string(&r->s);
    q.type = reader_type(r);
    if (q.type.elem != TIR_REAL || q.type.domain.sample || q.type.domain.space)
        tir_lexer_fail(&r->s, "a parameter is real and global");
    q.init =
        (TirInitKind)reader_choice(r, tir_init_names, TIR_INIT_COUNT, "a kind of initial value");
    if (q.init == TIR_INIT_DATA) {
        q.data = reader_data(r, &q.type);
    } else {
        q.init_a = tir_lexer_number(&r->s);
        q.init_b = tir_lexer_number(&r->s);
    }
    q.decay = tir_lexer_word(&r->s, "decay");
    q.frozen = tir_lexer_word(&r->s, "frozen");
    q.buffer = tir_lexer_word(&r->s, "buffer");
    q.of_connection = tir_lexer_word(&r->s, "connection");
    if (tir_lexer_word(&r->s, "lr"))
        q.lr_scale = tir_lexer_number(&r->s);
    while (tir_lexer_word(&r->s, "apart"))
        q.apart |= 1u << tir_lexer_integer(&r->s, 0, TIR_MAX_RANK - 1);
    tir_add_param(r->p, q);
}

static void reader_input(Reader *r, bool target) {
    TirInput in = {.is_target = target};
    in.name = tir_lexer_string(&r->s);
    in.type = reader_type(r);
    if (tir_lexer_word(&r->s, "limit"))
        in.limit = (uint32_t)tir_lexer_integer(&r->s, 0, UINT32_MAX);
    if (tir_lexer_word(&r->s, "upstream"))
        in.upstream = tir_lexer_string(&r->s);
    else if (tir_lexer_word(&r->s, "beside"))
        in.beside = tir_lexer_string(&r->s);
    tir_add_input(r->p, in);
}

static void reader_table(Reader *r) {
    TirTable t = {0};
    const char *name = tir_lexer_string(&r->s);
    t.name = name[0] ? name : NULL;
    t.type = reader_type(r);
    if (t.type.elem == TIR_BOOL || t.type.domain.sample || t.type.domain.space)
        tir_lexer_fail(&r->s, "a table is real or int, and global");
    t.data = reader_data(r, &t.type);
    if (!r->s.failed)
        vec_push(r->p->arena, &r->p->tables, t);
}

/* --- values ------------------------------------------------------------------------------------*/

static TirId reader_operand(Reader *r, const NamedBlock *scope) {
    const uint32_t written = tir_lexer_value(&r->s);
    const TirId id = (TirId)(uintptr_t)map_get_u64(scope->ids, written);
    if (!id && !r->s.failed)
        tir_lexer_fail(&r->s, arena_printf(r->p->arena, "there is no %%%u before this", written));
    return id;
}

static uint32_t reader_small_list(Reader *r, uint8_t *to, uint32_t n, uint32_t limit) {
    uint32_t count = 0;
    while (r->s.token.kind == TOKEN_NUMBER && count < n)
        to[count++] = (uint8_t)tir_lexer_integer(&r->s, 0, limit);
    return count;
}

/* "ab,b->a": as many letters as the ranks say. */
static void reader_labels(Reader *r, const NamedBlock *scope, TirNode *node) {
    const char *text = tir_lexer_string(&r->s);
    static const char *const after[3] = {",", "->", ""};
    bool fine = node->n_operands == 2;
    for (uint32_t o = 0; o < 3 && fine; o++) {
        uint32_t rank = 0;
        for (; *text >= 'a' && *text <= 'z' && rank < TIR_MAX_RANK; text++)
            node->attr.labels[o][rank++] = (uint8_t)(*text - 'a');
        const size_t n = strlen(after[o]);
        fine = strncmp(text, after[o], n) == 0 && (o == 2 ? *text == 0 : true) &&
               (o == 2 || rank == scope->b.block->nodes.at[node->operands[o]].type.rank);
        if (o == 2)
            node->type.rank = (uint8_t)rank;
        text += n;
    }
    if (!fine)
        tir_lexer_fail(&r->s, "labels are written \"ab,b->a\", one letter an axis");
}

static void reader_axes(Reader *r, const NamedBlock *scope, const TirNode *node, uint8_t *to) {
    const uint32_t n = reader_small_list(r, to, TIR_MAX_RANK, TIR_MAX_RANK - 1);
    if (!r->s.failed &&
        (node->n_operands != 1 || n != scope->b.block->nodes.at[node->operands[0]].type.rank))
        tir_lexer_fail(&r->s, "expected one axis for each of the operand's");
}

static uint32_t reader_mask(Reader *r) {
    uint8_t axes[TIR_MAX_RANK] = {0};
    const uint32_t n = reader_small_list(r, axes, TIR_MAX_RANK, TIR_MAX_RANK - 1);
    uint32_t mask = 0;
    for (uint32_t k = 0; k < n; k++)
        mask |= 1u << axes[k];
    return mask;
}

static void reader_offset(Reader *r, const TirAttrRow *row, int32_t offset[2]) {
    offset[0] = (int32_t)tir_lexer_integer(&r->s, row->low, row->high);
    if (r->s.token.kind == TOKEN_NUMBER)
        offset[1] = (int32_t)tir_lexer_integer(&r->s, row->low, row->high);
}

static const int32_t *reader_indices(Reader *r, const TirAttrRow *row, uint32_t *n) {
    VEC(int32_t) indices = {0};
    while (r->s.token.kind == TOKEN_NUMBER)
        vec_push(r->p->arena, &indices, (int32_t)tir_lexer_integer(&r->s, row->low, row->high));
    *n = indices.count;
    return indices.at;
}

static void reader_attr(Reader *r, const NamedBlock *scope, TirNode *node, const TirAttrRow *row,
                        uint32_t *n_indices) {
    TirLexer *s = &r->s;
    void *to = tir_attr_place(&node->attr, row);
    if (row->notation == TIR_NOTATION_FLAG) {
        *(bool *)to = tir_lexer_word(s, row->word);
        return;
    }
    if (row->word[0])
        tir_lexer_expect_word(s, row->word);
    switch (row->notation) {
    case TIR_NOTATION_WHOLE:
        *(uint32_t *)to = (uint32_t)tir_lexer_integer(s, row->low, row->high);
        break;
    case TIR_NOTATION_AXIS:
        *(uint8_t *)to = (uint8_t)tir_lexer_integer(s, row->low, row->high);
        break;
    case TIR_NOTATION_NUMBER:
        *(double *)to = tir_lexer_number(s);
        break;
    case TIR_NOTATION_DOMAIN:
        *(TirDomain *)to = reader_domain(r);
        break;
    case TIR_NOTATION_AXES:
        reader_axes(r, scope, node, to);
        break;
    case TIR_NOTATION_MASK:
        *(uint32_t *)to = reader_mask(r);
        break;
    case TIR_NOTATION_LABELS:
        reader_labels(r, scope, node);
        break;
    case TIR_NOTATION_OFFSET:
        reader_offset(r, row, to);
        break;
    case TIR_NOTATION_INDICES:
        *(const int32_t **)to = reader_indices(r, row, n_indices);
        break;
    case TIR_NOTATION_FLAG:
    case TIR_NOTATION_BODY: /* after the type */
        break;
    }
}

/* Returns how many indices there are. */
static uint32_t reader_attrs(Reader *r, const NamedBlock *scope, TirNode *node) {
    const uint32_t has = tir_op_attrs(node->op);
    uint32_t n_indices = 0;
    for (uint32_t k = 0; k < TIR_ATTR_COUNT; k++)
        if (has >> k & 1)
            reader_attr(r, scope, node, &tir_attr_rows[k], &n_indices);
    return n_indices;
}

static TirOp reader_op(Reader *r) {
    if (r->s.token.kind == TOKEN_WORD)
        for (TirOp op = 0; op < TIR_OP_COUNT; op++)
            if (strcmp(r->s.token.text, tir_op_name(op)) == 0) {
                tir_lexer_next(&r->s);
                return op;
            }
    tir_lexer_fail(&r->s, "expected an op");
    return TIR_OP_COUNT;
}

static TirBlock *reader_body(Reader *r, uint32_t depth);

/* Checks what the line says against the op's rule, and inserts it. */
static void reader_insert(Reader *r, NamedBlock *scope, TirNode *node, uint32_t written, Span at) {
    const TirType said = node->type;
    const char *wrong = tir_infer(r->p, scope->b.block, node);
    if (!wrong && node->type.elem != TIR_TUPLE && !tir_type_equal(&said, &node->type))
        wrong =
            arena_printf(r->p->arena, "this value is %s", tir_type_text(r->p->arena, &node->type));
    if (wrong) {
        r->s.token.begin = at.begin; /* the whole line, not what follows it */
        r->s.token.end = at.end;
        tir_lexer_fail(&r->s, wrong);
        return;
    }
    scope->b.span = at;
    void **slot = map_slot_u64(scope->ids, written);
    if (*slot)
        tir_lexer_fail(&r->s, "a value of this number is there already");
    else
        *slot = (void *)(uintptr_t)tir_insert(&scope->b, node);
}

static void reader_value(Reader *r, NamedBlock *scope, uint32_t depth) {
    TirLexer *s = &r->s;
    Span at = {s->file, s->token.begin, s->token.end};
    const uint32_t written = tir_lexer_value(s);
    tir_lexer_expect_sign(s, '=');
    TirNode node = {.op = reader_op(r)};
    if (s->failed)
        return;
    TirIdVec operands = {0};
    while (s->token.kind == TOKEN_VALUE)
        vec_push(r->p->arena, &operands, reader_operand(r, scope));
    node.operands = operands.at;
    node.n_operands = operands.count;
    const uint32_t n_indices = reader_attrs(r, scope, &node);
    const uint32_t rank = node.type.rank;
    if (tir_lexer_sign(s, ':')) {
        node.type = reader_type(r);
        if (node.op == TIR_CONTRACT && node.type.rank != rank)
            tir_lexer_fail(s, "the type's rank is not the labels'");
    }
    if (node.op == TIR_TAKE &&
        (node.attr.axis >= node.type.rank || node.type.dims[node.attr.axis] != n_indices))
        tir_lexer_fail(s, "the number of indices is not the axis's extent");
    scope->b.name = s->token.kind == TOKEN_STRING ? tir_lexer_string(s) : NULL;
    if (tir_op_has_body(node.op))
        node.attr.body = reader_body(r, depth + 1);
    if (s->failed)
        return;
    at.end = s->token.begin;
    reader_insert(r, scope, &node, written, at);
    tir_lexer_expect_line(s);
}

static TirBlock *reader_body(Reader *r, uint32_t depth) {
    TirLexer *s = &r->s;
    TirBlock *body = tir_block_create(r->p);
    body->as_read = true;
    NamedBlock scope = {tir_builder(r->p, body), map_create(r->p->arena)};
    if (depth > TIR_TEXT_NESTING)
        tir_lexer_fail(s, "loops are nested too deeply");
    tir_lexer_expect_sign(s, '{');
    tir_lexer_expect_line(s);
    tir_lexer_expect_word(s, "args");
    while (s->token.kind == TOKEN_WORD)
        vec_push(r->p->arena, &body->arguments, reader_type(r));
    tir_lexer_expect_line(s);
    while (s->token.kind == TOKEN_VALUE)
        reader_value(r, &scope, depth);
    tir_lexer_expect_word(s, "yield");
    while (s->token.kind == TOKEN_VALUE)
        vec_push(r->p->arena, &body->results, reader_operand(r, &scope));
    tir_lexer_expect_line(s);
    tir_lexer_expect_sign(s, '}');
    return body;
}

static void reader_output(Reader *r, const NamedBlock *scope) {
    const uint32_t role = reader_choice(r, tir_role_names, TIR_OUT_COUNT, "an output's role");
    const char *name = tir_lexer_string(&r->s);
    const uint32_t index = (uint32_t)tir_lexer_integer(&r->s, 0, UINT32_MAX);
    tir_add_output(r->p, (TirOutputRole)role, name, index, reader_operand(r, scope));
}

static void reader_line(Reader *r, NamedBlock *scope) {
    TirLexer *s = &r->s;
    if (s->token.kind == TOKEN_VALUE) {
        reader_value(r, scope, 0);
        return;
    }
    if (tir_lexer_word(s, "space"))
        reader_space(r);
    else if (tir_lexer_word(s, "param"))
        reader_param(r);
    else if (tir_lexer_word(s, "input"))
        reader_input(r, false);
    else if (tir_lexer_word(s, "target"))
        reader_input(r, true);
    else if (tir_lexer_word(s, "table"))
        reader_table(r);
    else if (tir_lexer_word(s, "output"))
        reader_output(r, scope);
    else if (tir_lexer_word(s, "forward"))
        r->p->n_forward = (uint32_t)tir_lexer_integer(s, 0, scope->b.block->nodes.count - 1);
    else
        tir_lexer_fail(s, "expected a declaration or a value");
    tir_lexer_expect_line(s);
}

TirProgram *tir_read(Compilation *c, uint32_t file) {
    Reader r = {.p = tir_program_create(c)};
    r.p->block->as_read = true;
    NamedBlock scope = {tir_builder(r.p, r.p->block), map_create(c->arena)};
    tir_lexer_start(&r.s, c, file);
    tir_lexer_expect_word(&r.s, "tir");
    tir_lexer_integer(&r.s, 1, 1);
    tir_lexer_expect_line(&r.s);
    while (!r.s.failed && r.s.token.kind != TOKEN_END)
        reader_line(&r, &scope);
    if (!r.s.failed) {
        const char *wrong = tir_verify(r.p);
        if (wrong)
            tir_lexer_fail(&r.s, wrong);
    }
    return r.s.failed ? NULL : r.p;
}
