/* The grammar of the language; grammar/GRAMMAR.md tells it in prose. Actions call one constructor
 * each (compiler/syntax/ast_build.h); what a name means is sema's business.
 *
 * The token stream is balanced before it gets here (compiler/syntax/tokens.c): every bracket has its
 * closing one and every statement its `;`, virtual where the author forgot it. So a recovery rule
 * always finds its end, and `semi`, `rparen`, `rbracket`, `rbrace` say when one was missing. */
%require "3.8"
%define api.pure full
%define api.push-pull push
%define api.prefix {grammar_}
%define api.token.prefix {TOKEN_}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%parse-param {Parser *parser}

%code requires {
#include "syntax/ast_build.h"
}

%union {
    Name name;
    double number;
    const char *string;
    ReduceKind reduction;
    const Missing *missing;
    Expr *expr;
    ExprList *exprs;
    CompareOp compare;
    ArithmeticOp arithmetic;
    Argument *argument;
    ArgumentList *arguments;
    Target *target;
    TargetList *targets;
    Binding *binding;
    BindingList *bindings;
    Formal *formal;
    FormalList *formals;
    ParamDecl *declaration;
    ParamDeclList *declarations;
    Attribute *attribute;
    AttributeList *attributes;
    StmtKind stmt_kind;
    Stmt *stmt;
    StmtList *stmts;
    Item *item;
}

%code provides {
/* True while the parser throws tokens away to get back into step after an error. */
bool grammar_discarding(const grammar_pstate *state);
}

%code {
#include "syntax/syntax_error.h"

static void yyerror(const Span *at, Parser *parser, const char *message);

/* Deep nesting is refused by the token stream; what is left to grow are runs of unary operators
 * and powers, which this bounds. */
#define YYMAXDEPTH 50000

#define YYLLOC_DEFAULT(Current, Rhs, N) \
    (Current) = (N) ? span_join(YYRHSLOC(Rhs, 1), YYRHSLOC(Rhs, N)) \
                    : (Span){YYRHSLOC(Rhs, 0).file, YYRHSLOC(Rhs, 0).end, YYRHSLOC(Rhs, 0).end}
}

/* Where to begin: the first token says what the text is. */
%token START_FILE START_EXPRESSION
%token EOF 0 "the end of the file"

%token <name> NAME "a name"
%token <number> NUMBER "a number"
%token <string> STRING "a string"
%token TRUE "true" FALSE "false"
%token <reduction> REDUCTION "a reduction"

/* The words are those of words.def, which run_grammar.py checks. Reserved ones: */
%token CONST "const" LET "let" PARAM "param" IF "if" ELSE "else" TRUNK "trunk"
/* Words only where a statement or definition begins; names everywhere else: */
%token <name> USE "use" FN "fn" CONNECTION "connection" BRANCH "branch" MODULE "module"
%token <name> MODEL "model" TRAIN "train"
%token <name> AROUND "around" STATE "state" CARRY "carry" BEGIN "begin" READ "read" WRITE "write" END "end"
%token <name> ITERATE "iterate" SCAN "scan" FOR "for" APPEND "append" REPEAT "repeat" PENALTY "penalty" PROBE "probe" OUTPUT "output" REQUIRE "require"
%token <name> BUFFER "buffer" UPDATE "update" PROJECT "project"
%token <name> POSITIONS "positions" INPUT "input" TARGET "target" LOSS "loss" METRIC "metric"
%token <name> DATA "data"

/* Behind the value of a loss or metric, and of a setting; the token stream tells them from names. */
%token WEIGHT "weight" IN "in"
/* Behind a call: */
%token AS "as"

%token LPAREN "(" LBRACKET "[" LBRACE "{"
%token <missing> RPAREN ")" RBRACKET "]" RBRACE "}" SEMICOLON ";"
%token COMMA "," COLON ":" ASSIGN "=" ARROW "->" DOTS ".." DOT "." TILDE "~" PARALLEL "&"
%token PLUS "+" MINUS "-" STAR "*" SLASH "/" PERCENT "%" CARET "^" NOT "!"
%token LT "<" LE "<=" GT ">" GE ">=" EQ "==" NE "!=" AND "&&" OR "||"

%type <name> name contextual
%type <bindings> reduced ranges
%type <binding> range
%type <expr> expr conjunction comparison sum term product factor power exponent open postfix
%type <expr> primary call value trunk trunk_input index slice
%type <exprs> subscript indices expressions parallel tuple_rest
%type <compare> compare_op
%type <arithmetic> sum_op product_op
%type <argument> argument
%type <arguments> arguments argument_list
%type <target> target
%type <targets> targets several
%type <binding> binding assignment position data_binding
%type <bindings> bindings assignments positions position_list data_body
%type <formal> formal input
%type <formals> formals formal_list inputs
%type <declaration> declaration
%type <declarations> declarations
%type <attribute> attribute
%type <attributes> attributes
%type <stmt_kind> binding_keyword value_keyword weighed_keyword input_keyword
%type <stmt> stmt conditional
%type <stmts> stmts block otherwise
%type <item> item signature given

%%

start
  : START_FILE items
  | START_EXPRESSION expr                     { parser_set_expression(parser, $2, NULL); }
  | START_EXPRESSION expr IN expr             { parser_set_expression(parser, $2, $4); }
  ;

/* Definitions ---------------------------------------------------------------------------------- */

items
  : %empty
  | items item                                { parser_add_item(parser, $2); }
  ;

item
  : USE name semi                             { $$ = ast_use(parser, @$, $2, NULL); }
  | USE STRING semi                           { $$ = ast_use(parser, @$, (Name){NULL, @2}, $2); }
  | CONST bindings semi                       { $$ = ast_constants(parser, @$, $2); }
  | FN name formals ARROW targets block       { $$ = ast_fn(parser, @$, $2, $3, $5, $6); }
  | FN name formals ASSIGN expr semi          { $$ = ast_fn_short(parser, @$, $2, $3, $5); }
  | FN name formals ASSIGN error semi         { $$ = ast_fn_short(parser, @$, $2, $3, ast_error(parser, @5)); }
  | CONNECTION name formals given block       { $$ = ast_definition(parser, ITEM_CONNECTION, @$, $2, $3, $4, $5); }
  | BRANCH name formals signature block       { $$ = ast_definition(parser, ITEM_BRANCH, @$, $2, $3, $4, $5); }
  | MODULE name formals signature block       { $$ = ast_definition(parser, ITEM_MODULE, @$, $2, $3, $4, $5); }
  | MODEL name block                          { $$ = ast_definition(parser, ITEM_MODEL, @$, $2, NULL, NULL, $3); }
  | TRAIN name block                          { $$ = ast_definition(parser, ITEM_TRAIN, @$, $2, NULL, NULL, $3); }
  | SEMICOLON                                 { $$ = NULL; }
  | error SEMICOLON                           { $$ = NULL; yyerrok; }
  | error block                               { $$ = NULL; parser_skip_definition(parser); yyerrok; }
  ;

formals
  : %empty                                    { $$ = NULL; }
  | LPAREN rparen                             { $$ = NULL; }
  | LPAREN formal_list rparen                 { $$ = $2; }
  ;

formal_list
  : formal                                    { $$ = ast_formals(parser, NULL, $1); }
  | formal_list comma formal                  { $$ = ast_formals(parser, $1, $3); }
  ;

formal
  : input
  | error                                     { $$ = NULL; }
  ;

signature
  : %empty                                    { $$ = ast_no_signature(parser, @$); }
  | COLON inputs ARROW targets                { $$ = ast_signature(parser, $2, $4); }
  | COLON ARROW targets                       { $$ = ast_signature(parser, NULL, $3); }
  ;

/* What a site hands to a connection beside the trunk. */
given
  : %empty                                    { $$ = NULL; }
  | COLON inputs                              { $$ = ast_signature(parser, $2, NULL); }
  ;

inputs
  : input                                     { $$ = ast_formals(parser, NULL, $1); }
  | inputs comma input                        { $$ = ast_formals(parser, $1, $3); }
  ;

input
  : target                                    { $$ = ast_formal(parser, $1, NULL); }
  | target ASSIGN expr                        { $$ = ast_formal(parser, $1, $3); }
  ;

targets
  : target                                    { $$ = ast_targets(parser, NULL, $1); }
  | targets comma target                      { $$ = ast_targets(parser, $1, $3); }
  ;

target
  : name                                      { $$ = ast_target(parser, @$, $1, NULL); }
  | name subscript                            { $$ = ast_target(parser, @$, $1, $2); }
  ;

/* Statements ----------------------------------------------------------------------------------- */

block
  : lbrace stmts rbrace                       { $$ = $2; }
  ;

stmts
  : %empty                                    { $$ = ast_block(parser); }
  | stmts stmt                                { $$ = ast_block_add(parser, $1, $2); }
  ;

stmt
  : binding_keyword bindings semi             { $$ = ast_bind(parser, $1, @$, $2); }
  | WRITE bindings semi                       { $$ = ast_bind(parser, STMT_WRITE, @$, $2); }
  | WRITE NAME name comma name ASSIGN expr semi { $$ = ast_write_each(parser, @$, $2, $3, $5, $7); }
  | PARAM declarations attributes semi        { $$ = ast_param(parser, STMT_PARAM, @$, $2, $3); }
  | BUFFER declarations attributes semi       { $$ = ast_param(parser, STMT_BUFFER, @$, $2, $3); }
  | STATE targets semi                        { $$ = ast_state(parser, @$, $2); }
  | assignments semi                          { $$ = ast_bind(parser, STMT_ASSIGN, @$, $1); }
  | ITERATE expr block                        { $$ = ast_loop(parser, STMT_ITERATE, @$, $2, $3); }
  | SCAN block                                { $$ = ast_scan(parser, @$, NULL, $2); }
  | SCAN NAME block                           { $$ = ast_scan(parser, @$, &$2, $3); }
  | FOR name LT sum block                     { $$ = ast_for(parser, @$, $2, $4, $5); }
  | REPEAT expr block                         { $$ = ast_loop(parser, STMT_REPEAT, @$, $2, $3); }
  | conditional
  | value_keyword expr semi                   { $$ = ast_value(parser, $1, @$, $2, NULL); }
  | weighed_keyword expr semi                 { $$ = ast_value(parser, $1, @$, $2, NULL); }
  | weighed_keyword expr WEIGHT expr semi     { $$ = ast_value(parser, $1, @$, $2, $4); }
  | REQUIRE expr comma STRING semi            { $$ = ast_require(parser, @$, $2, $4); }
  | POSITIONS positions attributes semi       { $$ = ast_positions(parser, @$, $2, $3); }
  | input_keyword target COLON expr semi      { $$ = ast_input(parser, $1, @$, $2, $4); }
  | NAME ASSIGN expr COLON parallel semi      { $$ = ast_site(parser, @$, $1, $3, $5); }
  | NAME expr semi                            { $$ = ast_setting(parser, @$, $1, $2, NULL); }
  | NAME expr IN expr semi                    { $$ = ast_setting(parser, @$, $1, $2, $4); }
  | DATA name LBRACE data_body rbrace         { $$ = ast_data(parser, @$, $2, $4); }
  | SEMICOLON                                 { $$ = NULL; }
  | error SEMICOLON                           { $$ = ast_stmt_error(parser, @$); yyerrok; }
  | error block otherwise                     { $$ = ast_stmt_error(parser, @$); yyerrok; }
  ;

binding_keyword
  : CONST                                     { $$ = STMT_CONST; }
  | LET                                       { $$ = STMT_LET; }
  | CARRY                                     { $$ = STMT_CARRY; }
  | BEGIN                                     { $$ = STMT_BEGIN; }
  | READ                                      { $$ = STMT_READ; }
  | APPEND                                    { $$ = STMT_APPEND; }
  | END                                       { $$ = STMT_END; }
  | UPDATE                                    { $$ = STMT_UPDATE; }
  | PROJECT                                   { $$ = STMT_PROJECT; }
  ;

value_keyword
  : AROUND                                    { $$ = STMT_AROUND; }
  | PENALTY                                   { $$ = STMT_PENALTY; }
  | PROBE                                     { $$ = STMT_PROBE; }
  | OUTPUT                                    { $$ = STMT_OUTPUT; }
  ;

weighed_keyword
  : LOSS                                      { $$ = STMT_LOSS; }
  | METRIC                                    { $$ = STMT_METRIC; }
  ;

input_keyword
  : INPUT                                     { $$ = STMT_INPUT; }
  | TARGET                                    { $$ = STMT_TARGET; }
  ;

bindings
  : binding                                   { $$ = ast_bindings(parser, NULL, $1); }
  | bindings comma binding                    { $$ = ast_bindings(parser, $1, $3); }
  ;

binding
  : target ASSIGN value                       { $$ = ast_binding(parser, $1, $3); }
  | target ASSIGN error                       { $$ = ast_binding(parser, $1, ast_error(parser, @3)); }
  | several target ASSIGN value               { $$ = ast_binding_several(parser, $1, $2, $4); }
  | several target ASSIGN error               { $$ = ast_binding_several(parser, $1, $2, ast_error(parser, @4)); }
  ;

/* `let n, g = both(h);` */
several
  : target comma                              { $$ = ast_targets(parser, NULL, $1); }
  | several target comma                      { $$ = ast_targets(parser, $1, $2); }
  ;

assignments
  : assignment                                { $$ = ast_bindings(parser, NULL, $1); }
  | assignments comma binding                 { $$ = ast_bindings(parser, $1, $3); }
  ;

/* Only NAME may begin it, so that the words above keep their meaning. */
assignment
  : NAME ASSIGN expr                          { $$ = ast_binding(parser, ast_target(parser, @1, $1, NULL), $3); }
  | NAME subscript ASSIGN expr                { $$ = ast_binding(parser, ast_target(parser, span_join(@1, @2), $1, $2), $4); }
  ;

declarations
  : declaration                               { $$ = ast_declarations(parser, NULL, $1); }
  | declarations comma declaration            { $$ = ast_declarations(parser, $1, $3); }
  ;

declaration
  : target                                    { $$ = ast_declaration(parser, $1, INIT_NONE, NULL); }
  | target ASSIGN expr                        { $$ = ast_declaration(parser, $1, INIT_VALUE, $3); }
  | target TILDE expr                         { $$ = ast_declaration(parser, $1, INIT_DISTRIBUTION, $3); }
  ;

attributes
  : %empty                                    { $$ = NULL; }
  | attributes attribute                      { $$ = ast_attributes(parser, $1, $2); }
  ;

attribute
  : NAME                                      { $$ = ast_attribute(parser, $1, NULL); }
  | NAME LPAREN expressions rparen            { $$ = ast_attribute(parser, $1, $3); }
  ;

conditional
  : IF expr block otherwise                   { $$ = ast_if(parser, @$, $2, $3, $4); }
  ;

otherwise
  : %empty                                    { $$ = NULL; }
  | ELSE block                                { $$ = $2; }
  | ELSE conditional                          { $$ = ast_block_add(parser, ast_block(parser), $2); }
  ;

positions
  : position                                  { $$ = ast_bindings(parser, NULL, $1); }
  | LPAREN position_list rparen               { $$ = $2; }
  ;

position_list
  : position                                  { $$ = ast_bindings(parser, NULL, $1); }
  | position_list comma position              { $$ = ast_bindings(parser, $1, $3); }
  ;

position
  : name LE sum                               { $$ = ast_binding(parser, ast_target(parser, @1, $1, NULL), $3); }
  ;

parallel
  : expr                                      { $$ = ast_expressions(parser, NULL, $1); }
  | parallel PARALLEL expr                    { $$ = ast_expressions(parser, $1, $3); }
  ;

data_body
  : %empty                                    { $$ = NULL; }
  | data_body data_binding                    { $$ = ast_bindings(parser, $1, $2); }
  ;

data_binding
  : target ASSIGN expr semi                   { $$ = ast_binding(parser, $1, $3); }
  | SEMICOLON                                 { $$ = NULL; }
  | error SEMICOLON                           { $$ = NULL; yyerrok; }
  ;

/* Expressions ---------------------------------------------------------------------------------- */

/* What a binding may hold: an expression, or a whole trunk. */
value
  : expr
  | trunk
  ;

trunk
  : TRUNK trunk_input block                   { $$ = ast_trunk(parser, @$, $2, $3); }
  ;

trunk_input
  : LPAREN expr rparen                        { $$ = $2; }
  | LPAREN error RPAREN                       { $$ = ast_error(parser, @$); if (!$3) yyerrok; }
  ;

expr
  : conjunction
  | expr OR conjunction                       { $$ = ast_logic(parser, OP_OR, @$, $1, $3); }
  ;

conjunction
  : comparison
  | conjunction AND comparison                { $$ = ast_logic(parser, OP_AND, @$, $1, $3); }
  ;

comparison
  : sum
  | sum compare_op sum                        { $$ = ast_compare(parser, $2, @$, $1, $3); }
  ;

compare_op
  : LT                                        { $$ = OP_LT; }
  | LE                                        { $$ = OP_LE; }
  | GT                                        { $$ = OP_GT; }
  | GE                                        { $$ = OP_GE; }
  | EQ                                        { $$ = OP_EQ; }
  | NE                                        { $$ = OP_NE; }
  ;

/* Left recursive and flat: a hundred thousand terms are one node and a shallow stack. */
sum
  : term
  | sum sum_op term                           { $$ = ast_chain(parser, EXPR_SUM, $2, @$, $1, $3); }
  ;

sum_op
  : PLUS                                      { $$ = OP_ADD; }
  | MINUS                                     { $$ = OP_SUB; }
  ;

/* One multiplicative term. A reduction takes all of the term to its right, so it comes last. */
term
  : product
  | open
  | product product_op open                   { $$ = ast_chain(parser, EXPR_PRODUCT, $2, @$, $1, $3); }
  ;

product
  : factor
  | product product_op factor                 { $$ = ast_chain(parser, EXPR_PRODUCT, $2, @$, $1, $3); }
  ;

product_op
  : STAR                                      { $$ = OP_MUL; }
  | SLASH                                     { $$ = OP_DIV; }
  | PERCENT                                   { $$ = OP_MOD; }
  ;

open
  : REDUCTION reduced term                    { $$ = ast_reduce(parser, $1, @$, $2, $3); }
  | MINUS open                                { $$ = ast_unary(parser, OP_NEG, @$, $2); }
  | NOT open                                  { $$ = ast_unary(parser, OP_NOT, @$, $2); }
  ;

reduced
  : LBRACKET ranges rbracket                  { $$ = $2; }
  | LBRACKET error RBRACKET                   { $$ = NULL; if (!$3) yyerrok; }
  ;

factor
  : power
  | MINUS factor                              { $$ = ast_unary(parser, OP_NEG, @$, $2); }
  | NOT factor                                { $$ = ast_unary(parser, OP_NOT, @$, $2); }
  ;

power
  : postfix
  | postfix CARET exponent                    { $$ = ast_power(parser, @$, $1, $3); }
  ;

exponent
  : power
  | MINUS exponent                            { $$ = ast_unary(parser, OP_NEG, @$, $2); }
  ;

postfix
  : primary
  | postfix subscript                         { $$ = ast_index(parser, @$, $1, $2); }
  | postfix DOT name                          { $$ = ast_member(parser, @$, $1, $3); }
  ;

primary
  : NUMBER                                    { $$ = ast_number(parser, @$, $1); }
  | STRING                                    { $$ = ast_string(parser, @$, $1); }
  | TRUE                                      { $$ = ast_boolean(parser, @$, true); }
  | FALSE                                     { $$ = ast_boolean(parser, @$, false); }
  | name                                      { $$ = ast_name(parser, $1); }
  | call
  | call AS name                              { $$ = ast_call_named(@$, $1, $3); }
  | LPAREN expr rparen                        { $$ = ast_parenthesised(parser, @$, $2); }
  | LPAREN expr comma tuple_rest rparen       { $$ = ast_tuple(parser, @$, $2, $4); }
  | LPAREN error RPAREN                       { $$ = ast_error(parser, @$); if (!$3) yyerrok; }
  | subscript                                 { $$ = ast_list(parser, @$, $1); }
  ;

tuple_rest
  : expr                                      { $$ = ast_expressions(parser, NULL, $1); }
  | tuple_rest comma expr                     { $$ = ast_expressions(parser, $1, $3); }
  ;

call
  : name LPAREN arguments rparen              { $$ = ast_call(parser, @$, $1, $3); }
  | REDUCTION LPAREN arguments rparen         { $$ = ast_call(parser, @$, ast_reduction_name(parser, @1, $1), $3); }
  | postfix DOT name LPAREN arguments rparen  { $$ = ast_call_member(parser, @$, $3); }
  | postfix subscript LPAREN arguments rparen { $$ = ast_call_entry(parser, @$, ast_index(parser, span_join(@1, @2), $1, $2), $4); }
  ;

arguments
  : %empty                                    { $$ = NULL; }
  | argument_list
  ;

argument_list
  : argument                                  { $$ = ast_arguments(parser, NULL, $1); }
  | argument_list comma argument              { $$ = ast_arguments(parser, $1, $3); }
  ;

argument
  : expr                                      { $$ = ast_argument(parser, NULL, $1); }
  | name ASSIGN expr                          { $$ = ast_argument(parser, &$1, $3); }
  | error                                     { $$ = ast_argument(parser, NULL, ast_error(parser, @$)); }
  ;

expressions
  : expr                                      { $$ = ast_expressions(parser, NULL, $1); }
  | expressions comma expr                    { $$ = ast_expressions(parser, $1, $3); }
  ;

/* Also a value, of its entries. Whatever may go on after its closing bracket must have its brackets in a rule of their own: else
 * an error behind the bracket would be recovered from inside it. */
subscript
  : LBRACKET indices rbracket                 { $$ = $2; }
  ;

indices
  : index                                     { $$ = ast_expressions(parser, NULL, $1); }
  | indices comma index                       { $$ = ast_expressions(parser, $1, $3); }
  ;

index
  : expr
  | slice
  | error                                     { $$ = ast_error(parser, @$); }
  ;

slice
  : expr DOTS expr                            { $$ = ast_slice(parser, @$, $1, $3); }
  | expr DOTS                                 { $$ = ast_slice(parser, @$, $1, NULL); }
  | DOTS expr                                 { $$ = ast_slice(parser, @$, NULL, $2); }
  | DOTS                                      { $$ = ast_slice(parser, @$, NULL, NULL); }
  ;

ranges
  : range                                     { $$ = ast_bindings(parser, NULL, $1); }
  | ranges comma range                        { $$ = ast_bindings(parser, $1, $3); }
  ;

range
  : name                                      { $$ = ast_binding(parser, ast_target(parser, @1, $1, NULL), NULL); }
  | name LT sum                               { $$ = ast_binding(parser, ast_target(parser, @1, $1, NULL), $3); }
  ;

name
  : NAME
  | contextual
  ;

contextual
  : USE | FN | CONNECTION | BRANCH | MODULE | MODEL | TRAIN | AROUND | STATE | CARRY | BEGIN | READ | WRITE
  | END | ITERATE | SCAN | FOR | APPEND | REPEAT | PENALTY | PROBE | OUTPUT | REQUIRE | BUFFER | UPDATE | PROJECT | POSITIONS | INPUT | TARGET | LOSS | METRIC
  | DATA
  ;

/* Ends. Each also ends error recovery, so that what follows is reported again; a virtual bracket
 * does not, for the statement around it is broken too. */
semi
  : SEMICOLON                                 { parser_ended(parser, $1); yyerrok; }
  ;

lbrace
  : LBRACE                                    { yyerrok; }
  ;

rparen
  : RPAREN                                    { if (parser_ended(parser, $1)) yyerrok; }
  ;

rbracket
  : RBRACKET                                  { if (parser_ended(parser, $1)) yyerrok; }
  ;

rbrace
  : RBRACE                                    { if (parser_ended(parser, $1)) yyerrok; }
  ;

comma
  : COMMA                                     { yyerrok; }
  ;

%%

bool grammar_discarding(const grammar_pstate *state) { return state->yyerrstatus == 3; }

static int yyreport_syntax_error(const yypcontext_t *context, Parser *parser) {
    yysymbol_kind_t kinds[YYNTOKENS];
    const char *expected[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    for (int k = 0; k < count; k++)
        expected[k] = yysymbol_name(kinds[k]);
    parser_report_unexpected(parser, expected, count > 0 ? (uint32_t)count : 0);
    return 0;
}

/* Called for one thing only: the parser's stack is full. */
static void yyerror(const Span *at, Parser *parser, const char *message) {
    (void)message;
    parser_report_nesting(parser, *at);
}
