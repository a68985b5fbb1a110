# Flattens JSON: every leaf as `path.to.it<TAB>value`, list items numbered from 0.
{ text = text $0 "\n" }

function emit(value,    i, path) {
    path = name[1]
    for (i = 2; i <= depth; i++) path = path "." name[i]
    print path "\t" value
}

function unquote(value) {
    value = substr(value, 2, length(value) - 2)
    # Line breaks would break the output's lines; a key with one at its end is common.
    gsub(/(\\[nrt])+$/, "", value)
    gsub(/\\[nrt]/, " ", value)
    gsub(/\\"/, "\"", value)
    gsub(/\\\//, "/", value)
    gsub(/\\\\/, "\\", value)
    return value
}

END {
    while (match(text, /"([^"\\]|\\.)*"|[][{},:]|[^][{},:" \t\r\n]+/)) {
        token = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        first = substr(token, 1, 1)
        if (first == "{") { kind[++depth] = "object"; name[depth] = ""; key = 1 }
        else if (first == "[") { kind[++depth] = "list"; name[depth] = 0; key = 0 }
        else if (first == "}" || first == "]") { depth--; key = 0 }
        else if (first == ",") { if (kind[depth] == "list") name[depth]++; else key = 1 }
        else if (first == ":") key = 0
        else {
            if (first == "\"") token = unquote(token)
            if (key) name[depth] = token; else emit(token)
        }
    }
}
