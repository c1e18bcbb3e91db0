#include "bandwidth.h"

#include <netlink/errno.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/tbf.h>
#include <netlink/route/tc.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "keelson/error.hpp"

namespace keelson::bridge {
namespace {

constexpr int latency_us = 25'000;
constexpr std::int64_t bursts_per_second = 250;
constexpr std::int64_t smallest_burst_bytes = 128 << 10;  // two of the largest packets
constexpr std::int64_t maximum_bytes_per_second = std::numeric_limits<int>::max();

}  // namespace

void limit_bandwidth(Netlink& netlink, int link, std::optional<std::int64_t> bits_per_second,
                     const std::string& field) {
    if (!bits_per_second) return;
    const std::int64_t rate = *bits_per_second / 8;
    if (rate <= 0 || rate > maximum_bytes_per_second)
        throw Error(Code::invalid,
                    "a bandwidth lies between 8 and " + std::to_string(maximum_bytes_per_second * 8) +
                        " bits per second",
                    "bandwidth." + field);
    const std::unique_ptr<rtnl_qdisc, void (*)(rtnl_qdisc*)> qdisc(rtnl_qdisc_alloc(), rtnl_qdisc_put);
    if (qdisc == nullptr) throw std::bad_alloc();
    rtnl_tc* tc = TC_CAST(qdisc.get());
    rtnl_tc_set_ifindex(tc, link);
    rtnl_tc_set_parent(tc, TC_H_ROOT);
    const std::int64_t burst = std::max(smallest_burst_bytes, rate / bursts_per_second);
    int status = rtnl_tc_set_kind(tc, "tbf");
    if (status >= 0) {
        rtnl_qdisc_tbf_set_rate(qdisc.get(), int(rate), int(burst), 0);
        status = rtnl_qdisc_tbf_set_limit_by_latency(qdisc.get(), latency_us);
    }
    if (status >= 0) status = rtnl_qdisc_add(netlink.socket(), qdisc.get(), NLM_F_CREATE | NLM_F_REPLACE);
    if (status < 0)
        throw Error(
            status == -NLE_OBJ_NOTFOUND || status == -NLE_OPNOTSUPP ? Code::unsupported : Code::internal,
            std::string("cannot limit the bandwidth: ") + nl_geterror(status) +
                "; the node's kernel needs sch_tbf, or take the bandwidth annotations off the pod",
            "bandwidth." + field);
}

}  // namespace keelson::bridge
