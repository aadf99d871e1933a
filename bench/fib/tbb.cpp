#include <oneapi/tbb.h>

#include "fib/workload.h"

namespace {

long fib_invoke(int n) {
    if (n < 2)
        return n;
    long left, right;
    tbb::parallel_invoke([&] { left = fib_invoke(n - 1); }, [&] { right = fib_invoke(n - 2); });
    return left + right;
}

long fib_group(int n) {
    if (n < 2)
        return n;
    long left;
    tbb::task_group group;
    group.run([&] { left = fib_group(n - 1); });
    long right = fib_group(n - 2);
    group.wait();
    return left + right;
}

template <long (*fib)(int)> uint64_t run(long n) {
    long sum = 0;
    for (int i = 0; i < fib_times; i++)
        sum += fib(fib_again(static_cast<int>(n)));
    return static_cast<uint64_t>(sum);
}

} // namespace

const fork_join_way fork_join_ways[] = {{"parallel_invoke", run<fib_invoke>}, {"task_group", run<fib_group>}, {nullptr, nullptr}};
