#include "kernel/base/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace keelson::base {
namespace {

constexpr std::size_t series_limit = 2000;

std::string escape_label(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (c == '\\' || c == '"') out.push_back('\\');
        if (c == '\n') {
            out += "\\n";
        } else {
            out.push_back(c);
        }
    }
    return out;
}

std::string label_text(const MetricLabels& labels) {
    std::string out;
    for (const auto& [name, value] : labels) {
        if (!out.empty()) out.push_back(',');
        out += name + "=\"" + escape_label(value) + '"';
    }
    return out;
}

std::string number_text(double value) {
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    char digits[40];
    return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

void append_sample(std::string& out, const std::string& name, const std::string& labels,
                   std::string_view value) {
    out += name;
    if (!labels.empty()) out += "{" + labels + "}";
    out.push_back(' ');
    out += value;
    out.push_back('\n');
}

}  // namespace

struct Metrics::Family {
    std::string help;
    std::string type;
    std::map<std::string, std::unique_ptr<Counter>> counters;
    std::map<std::string, std::unique_ptr<Gauge>> gauges;
    std::map<std::string, std::unique_ptr<Histogram>> histograms;

    template <typename Series, typename Make>
    static Series& find(std::map<std::string, std::unique_ptr<Series>>& all, const MetricLabels& labels,
                        Make make) {
        std::string key = label_text(labels);
        if (const auto found = all.find(key); found != all.end()) return *found->second;
        if (all.size() >= series_limit) key = "overflow=\"true\"";
        auto& slot = all[key];
        if (!slot) slot = make();
        return *slot;
    }
};

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), counts_(bounds.size() + 1) {}

void Histogram::observe(double value) {
    const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
    counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

std::span<const double> latency_bounds_seconds() {
    static constexpr double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                        0.5,   1,      2.5,   5,    10,    30,   60};
    return bounds;
}

Metrics::Family& Metrics::family(std::string_view name, std::string_view help, std::string_view type) {
    const auto found = families_.find(name);
    if (found != families_.end()) return *found->second;
    auto added = std::make_shared<Family>();
    added->help = help;
    added->type = type;
    return *families_.emplace(std::string(name), std::move(added)).first->second;
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const MetricLabels& labels) {
    const std::lock_guard lock(mutex_);
    return Family::find(family(name, help, "counter").counters, labels,
                        [] { return std::make_unique<Counter>(); });
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
    const std::lock_guard lock(mutex_);
    return Family::find(family(name, help, "gauge").gauges, labels, [] { return std::make_unique<Gauge>(); });
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                              const MetricLabels& labels) {
    const std::lock_guard lock(mutex_);
    return Family::find(family(name, help, "histogram").histograms, labels,
                        [bounds] { return std::make_unique<Histogram>(bounds); });
}

void Metrics::on_collect(std::function<void(Metrics&)> collector) {
    const std::lock_guard lock(collect_mutex_);
    collectors_.push_back(std::move(collector));
}

std::string Metrics::text() {
    {
        const std::lock_guard lock(collect_mutex_);
        for (const auto& collector : collectors_) collector(*this);
    }
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const auto& [name, family] : families_) {
        out += "# HELP " + name + " " + family->help + "\n# TYPE " + name + " " + family->type + "\n";
        for (const auto& [labels, counter] : family->counters)
            append_sample(out, name, labels, std::to_string(counter->value()));
        for (const auto& [labels, gauge] : family->gauges)
            append_sample(out, name, labels, number_text(gauge->value()));
        for (const auto& [labels, histogram] : family->histograms) {
            const std::string prefix = labels.empty() ? "" : labels + ",";
            std::uint64_t total = 0;
            for (std::size_t i = 0; i < histogram->counts_.size(); ++i) {
                total += histogram->counts_[i].load(std::memory_order_relaxed);
                const double bound = i < histogram->bounds_.size() ? histogram->bounds_[i] : INFINITY;
                append_sample(out, name + "_bucket", prefix + "le=\"" + number_text(bound) + '"',
                              std::to_string(total));
            }
            append_sample(out, name + "_sum", labels,
                          number_text(histogram->sum_.load(std::memory_order_relaxed)));
            append_sample(out, name + "_count", labels, std::to_string(total));
        }
    }
    return out;
}

}  // namespace keelson::base
