// Numbers about the running process, in Prometheus' text format. Families and their series live as long as
// the registry, so callers look a series up once and keep the reference. Everything is thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keelson::base {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
  public:
    void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
  public:
    void set(double value) { value_.store(value, std::memory_order_relaxed); }
    void add(double value) { value_.fetch_add(value, std::memory_order_relaxed); }
    [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<double> value_{0};
};

class Histogram {
  public:
    // Upper bounds of the buckets, ascending, without +Inf.
    explicit Histogram(std::span<const double> bounds);
    void observe(double value);

  private:
    friend class Metrics;
    std::vector<double> bounds_;
    std::vector<std::atomic<std::uint64_t>> counts_;  // one more than bounds
    std::atomic<double> sum_{0};
};

// Seconds, from a millisecond to a minute.
[[nodiscard]] std::span<const double> latency_bounds_seconds();

class Metrics {
  public:
    // The same name and labels give the same series; a name belongs to one kind of metric. At most 2,000
    // series a name: what comes later is counted together under the label overflow="true".
    Counter& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
    Histogram& histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                         const MetricLabels& labels = {});
    // Called before every text(), to set gauges that are read elsewhere.
    void on_collect(std::function<void(Metrics&)> collector);
    [[nodiscard]] std::string text();

  private:
    struct Family;
    Family& family(std::string_view name, std::string_view help, std::string_view type);

    std::mutex mutex_;
    std::mutex collect_mutex_;
    std::map<std::string, std::shared_ptr<Family>, std::less<>> families_;
    std::vector<std::function<void(Metrics&)>> collectors_;
};

}  // namespace keelson::base
