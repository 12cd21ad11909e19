/* Words of other languages. Only what has another form here, so that a name that is merely unknown
 * gets no advice. */
#include "syntax/foreign.h"
#include <stddef.h>
#include <string.h>

#define REPEATED "a number repeats by itself: `param W[d] = 0;`, `let z[i < 4] = 1;`"
#define INDICES "indices say it: `let C[i,j] = sum[k] A[i,k] * B[k,j];`"
#define TURNED "indices say it: `let B[j,i] = A[i,j];`"
#define RESHAPED "indices say it: `let q[h < heads, a < e] = x[h * e + a];`"
#define LOOPED "a loop is written `for k < n { … }`, or `iterate n { … }`"
#define USED "definitions of another file are there with `use \"file.hc\";`"
#define RESULT "a definition gives what its head names: `-> y[d]` above and `let y[c] = …;` here"
#define COUNTED "an index is a number: `let p[i < n] = i;`"

static const struct {
    const char *word;
    ForeignUse use;
    const char *help;
} FOREIGN[] = {
    {"zeros", FOREIGN_NAMED, REPEATED},
    {"zeros_like", FOREIGN_CALLED, REPEATED},
    {"ones", FOREIGN_NAMED, REPEATED},
    {"ones_like", FOREIGN_CALLED, REPEATED},
    {"full", FOREIGN_CALLED, REPEATED},
    {"eye", FOREIGN_NAMED, "write `identity`: `param M[n, n] = identity;`, `identity[i,j]`"},
    {"diag", FOREIGN_CALLED,
     "write `A[i,i]` for a diagonal, `identity[i,j] * v[i]` for a matrix with one"},
    {"trace", FOREIGN_CALLED, "write `sum[i] A[i,i]`"},
    {"tril", FOREIGN_CALLED, "write `select(j <= i, A[i,j], 0)`"},
    {"triu", FOREIGN_CALLED, "write `select(j >= i, A[i,j], 0)`"},
    {"matmul", FOREIGN_CALLED, INDICES},
    {"mm", FOREIGN_CALLED, INDICES},
    {"bmm", FOREIGN_CALLED, INDICES},
    {"dot", FOREIGN_CALLED, INDICES},
    {"einsum", FOREIGN_CALLED, INDICES},
    {"outer", FOREIGN_CALLED, INDICES},
    {"transpose", FOREIGN_CALLED, TURNED},
    {"permute", FOREIGN_CALLED, TURNED},
    {"reshape", FOREIGN_CALLED, RESHAPED},
    {"view", FOREIGN_CALLED, RESHAPED},
    {"flatten", FOREIGN_CALLED, RESHAPED},
    {"leaky_relu", FOREIGN_NAMED, "write it: `fn leaky_relu(x) = max(x, 0.01 * x);`"},
    {"relu2", FOREIGN_NAMED, "write it: `fn relu2(x) = max(x, 0) ^ 2;`"},
    {"elu", FOREIGN_NAMED, "write it: `fn elu(x) = select(x > 0, x, exp(min(x, 0)) - 1);`"},
    {"swish", FOREIGN_NAMED, "it is called `silu`"},
    {"where", FOREIGN_CALLED, "write `select(condition, a, b)`"},
    {"pow", FOREIGN_CALLED, "write `a ^ b`"},
    {"square", FOREIGN_CALLED, "write `x ^ 2`"},
    {"norm2", FOREIGN_CALLED, "write `sqrt(sum[c] x[c]^2)`"},
    {"ln", FOREIGN_CALLED, "it is called `log`"},
    {"ceil", FOREIGN_CALLED, "write `-floor(-x)`"},
    {"round", FOREIGN_CALLED, "write `floor(x + 0.5)`"},
    {"sign", FOREIGN_CALLED, "write `select(x > 0, 1, select(x < 0, -1, 0))`"},
    {"detach", FOREIGN_CALLED, "write `stop_gradient(x)`"},
    {"no_grad", FOREIGN_CALLED, "write `stop_gradient(x)`"},
    {"arange", FOREIGN_CALLED, COUNTED},
    {"linspace", FOREIGN_CALLED, COUNTED},
    {"range", FOREIGN_CALLED, COUNTED},
    {"rand", FOREIGN_CALLED, "write `random()`, or `random(x)` for a number beside each of x"},
    {"randn", FOREIGN_CALLED, "a parameter is drawn with `~ normal(0.02)`"},
    {"len", FOREIGN_CALLED, "write `extent(x)`, or `extent(x, 0)` for its first axis"},
    {"shape", FOREIGN_CALLED, "write `extent(x)`, or `extent(x, 0)` for its first axis"},
    {"size", FOREIGN_CALLED, "write `extent(x)`, or `extent(x, 0)` for its first axis"},
    {"pi", FOREIGN_NAMED, "write 3.14159265358979324"},
    {"return", FOREIGN_BEGINS, RESULT},
    {"while", FOREIGN_BEGINS, LOOPED},
    {"loop", FOREIGN_BEGINS, LOOPED},
    {"import", FOREIGN_BEGINS, USED},
    {"include", FOREIGN_BEGINS, USED},
    {"from", FOREIGN_BEGINS, USED},
    {"def", FOREIGN_BEGINS, "a function is written `fn f(x) = …;`, or `fn f(x[n]) -> y[n] { … }`"},
    {"function", FOREIGN_BEGINS,
     "a function is written `fn f(x) = …;`, or `fn f(x[n]) -> y[n] { … }`"},
    {"class", FOREIGN_BEGINS, "what holds parameters is a `module`, `branch` or `connection`"},
    {"struct", FOREIGN_BEGINS, "what holds parameters is a `module`, `branch` or `connection`"},
    {"var", FOREIGN_BEGINS, "a value is written `let x = …;`"},
    {"val", FOREIGN_BEGINS, "a value is written `let x = …;`"},
    {"auto", FOREIGN_BEGINS, "a value is written `let x = …;`"},
    {"float", FOREIGN_BEGINS, "a value is written `let x = …;`"},
    {"int", FOREIGN_BEGINS, "a value is written `let x = …;`"},
    {"elif", FOREIGN_BEGINS, "write `else if`"},
    {"print", FOREIGN_BEGINS, "a value is looked at with `probe x;`"},
    {"assert", FOREIGN_BEGINS, "write `require condition, \"message\";`"},
};

const char *foreign_help(const char *word, ForeignUse use) {
    for (size_t k = 0; k < sizeof FOREIGN / sizeof *FOREIGN; k++)
        if (strcmp(FOREIGN[k].word, word) == 0 &&
            (FOREIGN[k].use == use || (FOREIGN[k].use == FOREIGN_NAMED && use == FOREIGN_CALLED)))
            return FOREIGN[k].help;
    return NULL;
}
