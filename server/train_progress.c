#include "server/train_progress.h"

#include "core/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH     24
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

static void print_left(double seconds)
{
    if (seconds < 100)
        (void)fprintf(stderr, "%.0f s left", seconds);
    else if (seconds < 6000)
        (void)fprintf(stderr, "%.0f min left", seconds / 60);
    else
        (void)fprintf(stderr, "%.1f h left", seconds / 3600);
}

static void print(const struct progress_view *view, const struct train_progress *progress,
                  uint64_t now)
{
    const uint64_t done = progress->iteration - view->first;
    const double seconds = (double)(now - view->began_ns) / NS_PER_SECOND;
    const double part = (double)progress->iteration / (double)view->iterations;
    char bar[BAR_WIDTH + 1];

    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)(part * BAR_WIDTH));
    bar[BAR_WIDTH] = '\0';
    if (view->is_terminal)
        (void)fprintf(stderr, CLEARED_LINE "[%s] %3.0f %%", bar, 100 * part);
    else
        (void)fprintf(stderr, "iteration %llu of %llu", (unsigned long long)progress->iteration,
                      (unsigned long long)view->iterations);
    (void)fprintf(stderr, "  loss %.4f  rate %.2e  ", progress->mean_loss, progress->rate);
    if (progress->norm > 0)
        (void)fprintf(stderr, "norm %.3g  ", progress->norm);
    if (done > 0)
        print_left(seconds * (double)(view->iterations - progress->iteration) / (double)done);
    (void)fputs(view->is_terminal ? "" : "\n", stderr);
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

void progress_end(struct progress_view *view, const struct train *train)
{
    const struct train_progress progress = train_progress(train);

    print(view, &progress, clock_now_ns());
    (void)fputs(view->is_terminal ? "\n" : "", stderr);
}
