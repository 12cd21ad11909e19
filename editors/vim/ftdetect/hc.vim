autocmd BufNewFile,BufRead *.hc setfiletype hc
