/* A compiled model as the compiler would make one, but written by hand: the bigram language model
 *   h = E[token], logits = W h + b, loss = mean cross entropy,
 * with C functions as kernels. It uses every kind of call. */
#ifndef RUNTIME_MODEL_H
#define RUNTIME_MODEL_H

#include "runtime/hc.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIGRAM_VOCAB = 256, BIGRAM_WIDTH = 24, BIGRAM_CONTEXT = 16 };

#define BIGRAM_KERNELS(real)                                                                       \
    static int64_t real##_last(const HcExtents *e, int64_t task) {                                 \
        int64_t end = e->first + (task + 1) * e->tile;                                             \
        return end < e->instances ? end : e->instances;                                            \
    }                                                                                              \
    /* tokens, E -> h */                                                                           \
    static void real##_gather(void *const *buffers, const HcExtents *e, int64_t task,              \
                              void *scratch) {                                                     \
        (void)scratch;                                                                             \
        const int32_t *tokens = buffers[0];                                                        \
        const real *table = buffers[1];                                                            \
        real *h = buffers[2];                                                                      \
        for (int64_t p = e->first + task * e->tile; p < real##_last(e, task); p++)                 \
            memcpy(h + p * BIGRAM_WIDTH, table + tokens[p] * BIGRAM_WIDTH,                         \
                   BIGRAM_WIDTH * sizeof(real));                                                   \
    }                                                                                              \
    /* logits (in place: adds b), b, next -> dlogits, partial loss */                              \
    static void real##_entropy(void *const *buffers, const HcExtents *e, int64_t task,             \
                               void *scratch) {                                                    \
        real *logits = buffers[0], *d = buffers[3], *probability = scratch, loss = 0;              \
        const real *b = buffers[1];                                                                \
        const int32_t *next = buffers[2];                                                          \
        for (int64_t p = e->first + task * e->tile; p < real##_last(e, task); p++) {               \
            real *row = logits + p * BIGRAM_VOCAB, top = -INFINITY, sum = 0;                       \
            for (int v = 0; v < BIGRAM_VOCAB; v++) {                                               \
                row[v] += b[v];                                                                    \
                top = row[v] > top ? row[v] : top;                                                 \
            }                                                                                      \
            for (int v = 0; v < BIGRAM_VOCAB; v++)                                                 \
                sum += probability[v] = (real)exp((double)(row[v] - top));                         \
            loss += (real)log((double)sum) + top - row[next[p]];                                   \
            for (int v = 0; v < BIGRAM_VOCAB; v++)                                                 \
                d[p * BIGRAM_VOCAB + v] =                                                          \
                    (probability[v] / sum - (v == next[p])) / (real)e->instances;                  \
        }                                                                                          \
        ((real *)buffers[4])[task] = loss / (real)e->instances;                                    \
    }                                                                                              \
    /* dlogits -> partial db; one task a sample */                                                 \
    static void real##_bias(void *const *buffers, const HcExtents *e, int64_t task,                \
                            void *scratch) {                                                       \
        (void)scratch;                                                                             \
        const real *d = (const real *)buffers[0] + task * e->positions * BIGRAM_VOCAB;             \
        real *sum = (real *)buffers[1] + task * BIGRAM_VOCAB;                                      \
        memset(sum, 0, BIGRAM_VOCAB * sizeof(real));                                               \
        for (int64_t p = 0; p < e->positions; p++)                                                 \
            for (int v = 0; v < BIGRAM_VOCAB; v++)                                                 \
                sum[v] += d[p * BIGRAM_VOCAB + v];                                                 \
    }                                                                                              \
    static HcKernel *const real##_kernels[] = {real##_gather, real##_entropy, real##_bias};

BIGRAM_KERNELS(float)
BIGRAM_KERNELS(double)

/* Text with ' for ", @ for the model's element type and <n> for the bytes of n of its elements. */
static const char bigram_text[] =
    "{'format': 2, 'model': 'bigram', 'element': '@', 'cpu': {'name': 'x', 'features': []},"
    " 'space': {'name': 't', 'maximum': 16},"
    " 'inputs': ["
    "  {'name': 'tokens', 'element': 'i32', 'dims': [], 'domain': 'position', 'limit': 256,"
    "   'target': false},"
    "  {'name': 'next', 'element': 'i32', 'dims': [], 'domain': 'position', 'limit': 256,"
    "   'target': true}],"
    " 'params': ["
    "  {'name': 'E', 'group': 'embedding', 'dims': [256, 24], 'element': '@', 'offset': <0>,"
    "   'init': {'kind': 'normal', 'mean': 0, 'std': 0.5}, 'decay': true, 'frozen': false,"
    "   'lr_scale': 1, 'grad': true},"
    "  {'name': 'W', 'group': 'head', 'dims': [256, 24], 'element': '@', 'offset': <6144>,"
    "   'init': {'kind': 'uniform', 'low': -0.2, 'high': 0.2}, 'decay': true, 'frozen': false,"
    "   'lr_scale': 0.5, 'grad': true},"
    "  {'name': 'b', 'group': 'head', 'dims': [256], 'element': '@', 'offset': <12288>,"
    "   'init': {'kind': 'fill', 'value': 0.125}, 'decay': false, 'frozen': false,"
    "   'lr_scale': 1, 'grad': true},"
    "  {'name': 'still', 'group': '', 'dims': [3], 'element': '@', 'offset': <12544>,"
    "   'init': {'kind': 'data', 'values': [1, -2.5, 3]}, 'decay': true, 'frozen': true,"
    "   'lr_scale': 1, 'grad': true},"
    "  {'name': 'unused', 'group': '', 'dims': [2], 'element': '@', 'offset': <12560>,"
    "   'init': {'kind': 'fill', 'value': 7}, 'decay': true, 'frozen': false, 'lr_scale': 1,"
    "   'grad': false}],"
    " 'param_bytes': <12576>,"
    " 'recipe': {'optimizer': 'adamw', 'lr': 0.02, 'beta1': 0.9, 'beta2': 0.99, 'eps': 1e-8,"
    "  'weight_decay': 0.01, 'momentum': 0, 'schedule': 'cosine', 'warmup': 5, 'floor': 0.1,"
    "  'batch': 12, 'steps': 60, 'clip': 1.0, 'seed': 3, 'eval_every': 0},"
    " 'data': {'source': 'text', 'held_out': 0.1, 'bindings': ["
    "  {'input': 'tokens', 'stream': 'bytes', 'offset': 0},"
    "  {'input': 'next', 'stream': 'bytes', 'offset': 1}]},"
    " 'constants': {'d': '24'},"
    " 'plan': {"
    "  'regions': {'global': <32>, 'sample': 0, 'position': <560>, 'time': 0, 'partial': <272>},"
    "  'tables': [{'buffer': ['global', '@', <16>], 'elements': 4,"
    "   'data': [1, -2, 0.5, 3]},"
    "   {'buffer': ['global', 'i32', <26>], 'elements': 2, 'data': [5.0, -7]},"
    "   {'buffer': ['global', 'i32', <24>], 'elements': 2, 'data': 'AQAAAP////8='}],"
    "  'kernels': [{'name': 'gather', 'scratch': 0}, {'name': 'entropy', 'scratch': 2048},"
    "   {'name': 'bias', 'scratch': 0}],"
    "  'forward': ["
    "   {'kind': 'kernel', 'kernel': 0, 'domain': 'position', 'tasks': 'tiles',"
    "    'buffers': [['input', 'i32', 0, 0], ['params', '@', 0, 0], ['position', '@', 0]]},"
    "   {'kind': 'gemm', 'ta': false, 'tb': true, 'm': 'position', 'n': 256, 'k': 24,"
    "    'a': ['position', '@', 0], 'lda': 24, 'b': ['params', '@', 0, 1], 'ldb': 24,"
    "    'c': ['position', '@', <48>], 'ldc': 256, 'beta': 0},"
    "   {'kind': 'kernel', 'kernel': 1, 'domain': 'position', 'tasks': 'tiles',"
    "    'buffers': [['position', '@', <48>], ['params', '@', 0, 2], ['input', 'i32', 0, 1], "
    "['position', '@', <304>],"
    "     ['partial', '@', 0]]},"
    "   {'kind': 'reduce', 'partial': ['partial', '@', 0], 'tasks_of': 'position', 'elements': 1,"
    "    'to': ['global', '@', 0]}],"
    "  'backward': ["
    "   {'kind': 'gemm', 'ta': true, 'tb': false, 'm': 256, 'n': 24, 'k': 'position',"
    "    'a': ['position', '@', <304>], 'lda': 256, 'b': ['position', '@', 0], 'ldb': 24,"
    "    'c': ['grads', '@', 0, 1], 'ldc': 24, 'beta': 0},"
    "   {'kind': 'kernel', 'kernel': 2, 'domain': 'sample', 'tasks': 'samples', 'per_sample': 1,"
    "    'buffers': [['position', '@', <304>], ['partial', '@', <16>]]},"
    "   {'kind': 'reduce', 'partial': ['partial', '@', <16>], 'tasks_of': 'sample', 'per_sample': "
    "1,"
    "    'elements': 256, 'to': ['grads', '@', 0, 2]},"
    "   {'kind': 'gemm', 'ta': false, 'tb': false, 'm': 'position', 'n': 24, 'k': 256,"
    "    'a': ['position', '@', <304>], 'lda': 256, 'b': ['params', '@', 0, 1], 'ldb': 24,"
    "    'c': ['position', '@', <24>], 'ldc': 24, 'beta': 0},"
    "   {'kind': 'zero', 'buffer': ['grads', '@', 0, 0], 'clears': <6144>, 'domain': 'global'},"
    "   {'kind': 'scatter_add', 'index': ['input', 'i32', 0, 0], 'values': ['position', '@', <24>],"
    "    'domain': 'position', 'elements': 24, 'rows': 256, 'to': ['grads', '@', 0, 0]}],"
    "  'outputs': {'loss': ['global', '@', 0], 'logits': ['position', '@', <48>], 'metrics': [],"
    "   'probes': [{'name': 'h', 'dims': [24], 'buffer': ['position', '@', 0]},"
    "    {'name': 'numbers', 'dims': [4], 'buffer': ['global', '@', <16>]}]}}}";

/* The manifest; every text between pairs (find, put, find, put ..., NULL) replaced. Caller frees.
 */
static char *bigram_edit(const char *manifest, const char *find, const char *put) {
    const char *at = strstr(manifest, find);
    if (!at)
        abort();
    char *edited = malloc(strlen(manifest) + strlen(put) + 1);
    memcpy(edited, manifest, (size_t)(at - manifest));
    strcpy(edited + (at - manifest), put);
    strcat(edited, at + strlen(find));
    return edited;
}

/* The text for elements of one size. The caller frees it. */
static char *bigram_expand(uint32_t element_size) {
    char *text = malloc(2 * sizeof bigram_text), *to = text;
    for (const char *c = bigram_text; *c; c++) {
        if (*c == '@') {
            to += sprintf(to, "%s", element_size == 4 ? "f32" : "f64");
        } else if (*c == '<') {
            char *end;
            to += sprintf(to, "%ld", strtol(c + 1, &end, 10) * (long)element_size);
            c = end;
        } else {
            *to++ = *c == '\'' ? '"' : *c;
        }
    }
    *to = '\0';
    return text;
}

/* find may be NULL. Both with " as it stands in the manifest. */
static char *bigram_manifest(const char *find, uint32_t element_size, const char *put) {
    char *text = bigram_expand(element_size);
    if (!put)
        return text;
    char *edited = bigram_edit(text, find, put);
    free(text);
    return edited;
}

static HcModel bigram_model(uint32_t element_size, const char *manifest) {
    return (HcModel){HC_ABI_VERSION,
                     element_size,
                     manifest,
                     strlen(manifest),
                     element_size == 4 ? float_kernels : double_kernels,
                     3,
                     0,
                     NULL,
                     0};
}

#endif
