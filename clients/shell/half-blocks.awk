# Draws the pictures of an npy file of bytes, (n, H, W, C) u1, side by side in the terminal: two
# pixels to a character, one above the other. Reads what `od -An -v -t u1` prints.
#
#     colours   16777216 (24 bits), 256, or 0: shades of plain characters

{ for (i = 1; i <= NF; i++) byte[count++] = $i }

END {
    start = 10 + byte[8] + 256 * byte[9]
    for (i = 10; i < start; i++) header = header sprintf("%c", byte[i])
    sub(/.*\(/, "", header)
    sub(/\).*/, "", header)
    split(header, shape, ",")
    pictures = shape[1] + 0; height = shape[2] + 0; width = shape[3] + 0; channels = shape[4] + 0
    for (y = 0; y < height; y += 2) {
        line = "  "
        for (picture = 0; picture < pictures; picture++) {
            for (x = 0; x < width; x++) line = line character(picture, y, x)
            line = line (colours ? "\033[0m" : "") "  "
        }
        print line
    }
}

function value(picture, y, x, channel) {
    if (y >= height) y = height - 1
    return byte[start + ((picture * height + y) * width + x) * channels + channel % channels]
}

function grey(picture, y, x) {
    return .3 * value(picture, y, x, 0) + .59 * value(picture, y, x, 1) + .11 * value(picture, y, x, 2)
}

function paint(picture, y, x,    red, green, blue) {
    red = value(picture, y, x, 0); green = value(picture, y, x, 1); blue = value(picture, y, x, 2)
    if (colours > 256) return "2;" red ";" green ";" blue
    return "5;" (16 + 36 * int(red / 51 + .5) + 6 * int(green / 51 + .5) + int(blue / 51 + .5))
}

function character(picture, y, x) {
    if (colours == 0)
        return substr("@%#*+=-:. ", 1 + int((grey(picture, y, x) + grey(picture, y + 1, x)) / 512 * 10), 1)
    return "\033[38;" paint(picture, y, x) "m\033[48;" paint(picture, y + 1, x) "m▀"
}
