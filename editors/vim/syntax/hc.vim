" Vim syntax file
" Language: hc (networks with hyper-connections); written by scripts/editors.py from the grammar's words
if exists("b:current_syntax")
  finish
endif

syntax match hcDefinition "\v(^|[;{}])\s*\zs<(branch|connection|fn|model|module|train|use)>\ze\s*[^=.(\[ ]"
syntax keyword hcStatement const let param trunk
syntax match hcStatement "\v(^|[;{}])\s*\zs<(append|around|begin|buffer|carry|data|end|input|loss|metric|output|penalty|positions|probe|project|read|require|state|target|update|write)>\ze\s*[^=.(\[ ]"
syntax keyword hcFlow else if
syntax match hcFlow "\v(^|[;{}])\s*\zs<(for|iterate|repeat|scan)>\ze\s*[^=.(\[ ]"
syntax keyword hcValue false true
syntax match hcReduction "\v<(argmax|logsumexp|max|mean|min|prod|softmax|sum)\ze\s*\["
syntax match hcNumber "\v<\d+(\.\d+)?([eE][+-]?\d+)?>"
syntax match hcFunction "\v<\h\w*\ze\("
syntax match hcOperator "\v[-+*/%^=<>!&|~]|->"
syntax region hcString start=/"/ skip=/\\./ end=/"/ oneline
syntax match hcComment "//.*" contains=hcTodo,@Spell
syntax match hcDoc "\v///[^/].*|///$" contains=@Spell
syntax region hcComment start="/\*" end="\*/" contains=hcTodo,@Spell
syntax keyword hcTodo TODO FIXME XXX contained

highlight default link hcDefinition Structure
highlight default link hcStatement Statement
highlight default link hcFlow Repeat
highlight default link hcValue Boolean
highlight default link hcReduction Function
highlight default link hcNumber Number
highlight default link hcFunction Identifier
highlight default link hcOperator Operator
highlight default link hcString String
highlight default link hcComment Comment
highlight default link hcDoc SpecialComment
highlight default link hcTodo Todo

let b:current_syntax = "hc"
