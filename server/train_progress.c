#include "server/train_progress.h"

#include "core/base/buffer.h"
#include "core/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_WIDTH     24u
#define COLUMNS       80u
#define TERMINAL_NS   100000000ull
#define LINE_NS       1000000000ull
#define NS_PER_SECOND 1e9
#define CLEARED_LINE  "\r\033[K"

void progress_begin(struct progress_view *view, const struct train *train, uint64_t iterations)
{
    const uint64_t now = clock_now_ns();

    *view = (struct progress_view){.is_terminal = isatty(STDERR_FILENO) != 0,
                                   .iterations = iterations,
                                   .first = train_progress(train).iteration,
                                   .began_ns = now,
                                   .shown_ns = now};
}

static void put_left(struct buffer *out, double seconds)
{
    if (seconds < 100)
        buffer_printf(out, "%.0f s left", seconds);
    else if (seconds < 6000)
        buffer_printf(out, "%.0f min left", seconds / 60);
    else
        buffer_printf(out, "%.1f h left", seconds / 3600);
}

static void put_figures(struct buffer *out, const struct progress_view *view,
                        const struct train_progress *progress, uint64_t now)
{
    const uint64_t done = progress->iteration - view->first;
    const double seconds = (double)(now - view->began_ns) / NS_PER_SECOND;

    buffer_printf(out, "  loss %.4f  rate %.2e  ", progress->mean_loss, progress->rate);
    if (progress->norm > 0)
        buffer_printf(out, "norm %.3g  ", progress->norm);
    if (done > 0)
        put_left(out, seconds * (double)(view->iterations - progress->iteration) / (double)done);
}

static size_t terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS;
}

/* As long a bar and as much of the figures as a line has room for: what a terminal wraps is not
 * cleared again. */
static void print_bar(double part, const char *figures)
{
    const size_t columns = terminal_columns(), taken = strlen(figures) + sizeof "[] 100 %";
    const size_t room = columns > taken ? columns - taken : 0;
    const size_t width = room < BAR_WIDTH ? room : BAR_WIDTH;
    char bar[BAR_WIDTH + 1], line[256];

    memset(bar, '.', width);
    memset(bar, '#', (size_t)(part * (double)width));
    bar[width] = '\0';
    (void)snprintf(line, sizeof line, "[%s] %3.0f %%%s", bar, 100 * part, figures);
    (void)fprintf(stderr, CLEARED_LINE "%.*s", (int)columns - 1, line);
}

static void print(const struct progress_view *view, const struct train_progress *progress,
                  uint64_t now)
{
    struct buffer figures = {0};

    put_figures(&figures, view, progress, now);
    buffer_append(&figures, "", 1);
    if (buffer_ok(&figures) && view->is_terminal)
        print_bar((double)progress->iteration / (double)view->iterations,
                  (const char *)figures.data);
    else if (buffer_ok(&figures))
        (void)fprintf(stderr, "iteration %llu of %llu%s\n", (unsigned long long)progress->iteration,
                      (unsigned long long)view->iterations, (const char *)figures.data);
    buffer_finish(&figures);
}

void progress_show(struct progress_view *view, const struct train *train)
{
    const uint64_t now = clock_now_ns();
    struct train_progress progress;

    if (now - view->shown_ns < (view->is_terminal ? TERMINAL_NS : LINE_NS))
        return;
    progress = train_progress(train);
    print(view, &progress, now);
    view->shown_ns = now;
}

void progress_clear(const struct progress_view *view)
{
    (void)fputs(view->is_terminal ? CLEARED_LINE : "", stderr);
}

void progress_end(struct progress_view *view, const struct train *train)
{
    const struct train_progress progress = train_progress(train);

    print(view, &progress, clock_now_ns());
    (void)fputs(view->is_terminal ? "\n" : "", stderr);
}
