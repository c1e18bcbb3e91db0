#include "kernel/base/time_slice.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace keelson::base {
namespace {

// struct sched_attr of the kernel (include/uapi/linux/sched/types.h), which the C library does not have yet.
struct SchedulingAttributes {
    std::uint32_t size;
    std::uint32_t policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime_ns;
    std::uint64_t deadline_ns;
    std::uint64_t period_ns;
};

}  // namespace

void set_time_slice(Duration slice) {
    SchedulingAttributes attributes{};
    attributes.size = sizeof attributes;
    if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
    if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH) return;
    attributes.runtime_ns = static_cast<std::uint64_t>(slice.count());
    // Refused by kernels that do not know it: then nothing has changed.
    ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace keelson::base
