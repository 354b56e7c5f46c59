/* The page at /, embedded into the program. It may run its own script and style, show pictures it
 * was given, and talk to this daemon; nothing else, whatever text ends up in it. */
#include "server/routes.h"

#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "        \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/* Names that the linker makes: ld -r -b binary clients/web/index.html. */
#define ASSET(name)                                                                                \
    extern const unsigned char _binary_clients_web_##name##_start[];                               \
    extern const unsigned char _binary_clients_web_##name##_end[]
ASSET(index_html);
ASSET(page_js);
ASSET(page_css);

static bool reply(struct answer *answer, const char *media_type, const unsigned char *start,
                  const unsigned char *end)
{
    answer->status = 200;
    answer->media_type = media_type;
    answer_header(answer, "Content-Security-Policy", "%s", POLICY);
    answer_header(answer, "X-Frame-Options", "DENY");
    answer_header(answer, "Referrer-Policy", "no-referrer");
    answer_header(answer, "Cache-Control", "no-cache");
    buffer_append(&answer->body, start, (size_t)(end - start));
    return true;
}

bool route_page(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)call;
    (void)problem;
    return reply(answer, "text/html; charset=utf-8", _binary_clients_web_index_html_start,
                 _binary_clients_web_index_html_end);
}

bool route_page_script(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)call;
    (void)problem;
    return reply(answer, "text/javascript; charset=utf-8", _binary_clients_web_page_js_start,
                 _binary_clients_web_page_js_end);
}

bool route_page_style(const struct call *call, struct answer *answer, struct problem *problem)
{
    (void)call;
    (void)problem;
    return reply(answer, "text/css; charset=utf-8", _binary_clients_web_page_css_start,
                 _binary_clients_web_page_css_end);
}
