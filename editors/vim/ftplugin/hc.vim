if exists("b:did_ftplugin")
  finish
endif
let b:did_ftplugin = 1
setlocal commentstring=//\ %s comments=s1:/*,mb:*,ex:*/,:///,:// shiftwidth=2 expandtab
setlocal makeprg=hcc\ check\ %:S errorformat=%Eerror[%t%n]:\ %m,%Wwarning[%t%n]:\ %m,%C\ \ %f:%l:%c,%-G%.%#
let b:undo_ftplugin = "setlocal commentstring< comments< shiftwidth< expandtab< makeprg< errorformat<"
