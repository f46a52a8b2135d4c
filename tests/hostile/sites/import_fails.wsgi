#: The import raises, in words that would be obeyed.
#: verdict = "broken"
#: class = "error"
raise RuntimeError("\x1b[2J\x1b]0;owned\x07\n::error file=x::owned\n##[error]owned\n\u202egpj.exe")
