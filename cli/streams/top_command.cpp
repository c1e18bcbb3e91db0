// keelctl top: what nodes and pods use, by the API of metrics.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "cli/kube/command.h"
#include "cli/kube/resources.h"
#include "cli/output.h"
#include "cli/print/tab_writer.h"
#include "cli/streams/stream_commands.h"
#include "kernel/object/quantity.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kMetrics = "/apis/metrics.k8s.io/v1beta1";
constexpr std::int64_t kMebibyte = 1 << 20;

object::Quantity quantity_at(const Object& amounts, const char* name) {
    const auto parsed = object::Quantity::parse(text_at(amounts, name));
    return parsed ? *parsed : object::Quantity();
}

struct Usage {
    std::int64_t milli_cpu = 0;
    std::int64_t bytes = 0;

    void add(const Object& amounts) {
        milli_cpu += quantity_at(amounts, "cpu").milli_value();
        bytes += quantity_at(amounts, "memory").value();
    }
    [[nodiscard]] std::string cpu_text() const { return std::to_string(milli_cpu) + "m"; }
    [[nodiscard]] std::string memory_text() const { return std::to_string(bytes / kMebibyte) + "Mi"; }
};

struct Line {
    std::string namespace_name, name, container;
    Usage usage;
};

// Every cell ends with a tab, the last of a line too, as scripts may expect.
class Columns {
  public:
    void add(const std::vector<std::string>& cells) {
        for (const std::string& cell : cells) text_ += cell + "\t";
        text_ += "\n";
    }
    [[nodiscard]] std::string take() const { return printing::align_tabs(text_, printing::kTableStops); }

  private:
    std::string text_;
};

void sort_lines(std::vector<Line>& lines, const std::string& by) {
    std::stable_sort(lines.begin(), lines.end(), [&by](const Line& left, const Line& right) {
        if (by == "cpu") return left.usage.milli_cpu > right.usage.milli_cpu;
        if (by == "memory") return left.usage.bytes > right.usage.bytes;
        return std::tie(left.namespace_name, left.name, left.container) <
               std::tie(right.namespace_name, right.name, right.container);
    });
}

Result<void> check_metrics(Session& session) {
    const auto api = session.api();
    if (!api) return pass_on(api);
    const auto there = (*api)->ask({.path = kMetrics});
    if (there) return {};
    if (!there.error().refusal) return pass_on(there);
    return fail("Metrics API not available");
}

std::string share(std::int64_t used, std::int64_t all) {
    if (all == 0) return "<unknown>";
    return std::to_string(
               static_cast<std::int64_t>(100.0 * static_cast<double>(used) / static_cast<double>(all))) +
           "%";
}

Result<void> check_order(const std::string& by) {
    if (by.empty() || by == "cpu" || by == "memory") return {};
    return fail("--sort-by accepts only cpu or memory");
}

class TopNodes : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_selector_flag(flags, select_);
        flags.text("sort-by", sort_by_, "Most first: cpu or memory");
        flags.flag("no-headers", has_no_headers_, "Leave the line of headings out");
        flags.flag("show-capacity", shows_capacity_,
                   "Shares of all that a node has, not of what pods may use");
        flags.flag("use-protocol-buffers", ignored_, "Taken for the sake of scripts; JSON is used");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = check_order(sort_by_); !good) return good;
        if (words.words.size() > 1) return misused("node [NAME | -l label]");
        if (!words.words.empty() && !select_.labels.empty())
            return misused("only one of NAME or --selector can be provided");
        if (auto there = check_metrics(session); !there) return there;
        const std::string name = words.words.empty() ? "" : words.words.front();
        const auto metrics = read(session, std::string(kMetrics) + "/nodes", name);
        if (!metrics) return pass_on(metrics);
        const auto nodes = read(session, "/api/v1/nodes", name);
        if (!nodes) return pass_on(nodes);
        print_nodes(*metrics, *nodes);
        return {};
    }

  private:
    Result<std::vector<Object>> read(Session& session, const std::string& path, const std::string& name) {
        const auto api = session.api();
        const auto answer = (*api)->ask({.path = name.empty() ? path : path + "/" + encode_segment(name),
                                         .query = selector_query(&select_)});
        if (!answer) return pass_on(answer);
        if (!name.empty()) return std::vector<Object>{*answer};
        std::vector<Object> items;
        for (const Object& item : member(*answer, "items")) items.push_back(item);
        return items;
    }

    void print_nodes(const std::vector<Object>& metrics, const std::vector<Object>& nodes) const {
        std::map<std::string, Usage> has;
        for (const Object& node : nodes)
            has[name_of(node)].add(member(node, {"status", shows_capacity_ ? "capacity" : "allocatable"}));
        std::vector<Line> lines;
        for (const Object& one : metrics) {
            Line line{.name = name_of(one)};
            line.usage.add(member(one, "usage"));
            lines.push_back(line);
        }
        sort_lines(lines, sort_by_);
        Columns columns;
        if (!has_no_headers_) columns.add({"NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"});
        for (const Line& line : lines) {
            const Usage& all = has[line.name];
            columns.add({line.name, line.usage.cpu_text(), share(line.usage.milli_cpu, all.milli_cpu),
                         line.usage.memory_text(), share(line.usage.bytes, all.bytes)});
        }
        // Those that nothing is known of come last.
        for (const auto& [name, all] : has)
            if (std::none_of(lines.begin(), lines.end(),
                             [&name = name](const Line& line) { return line.name == name; }))
                columns.add({name, "<unknown>", "<unknown>", "<unknown>", "<unknown>"});
        print(columns.take());
    }

    SelectFlags select_;
    std::string sort_by_;
    bool has_no_headers_ = false;
    bool shows_capacity_ = false;
    bool ignored_ = false;
};

class TopPods : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_selector_flag(flags, select_);
        add_field_selector_flag(flags, select_);
        add_all_namespaces_flag(flags, select_);
        flags.flag("containers", shows_containers_, "A line for each container");
        flags.text("sort-by", sort_by_, "Most first: cpu or memory");
        flags.flag("no-headers", has_no_headers_, "Leave the line of headings out");
        flags.flag("sum", shows_sum_, "A last line with the sum");
        flags.flag("use-protocol-buffers", ignored_, "Taken for the sake of scripts; JSON is used");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = check_order(sort_by_); !good) return good;
        if (words.words.size() > 1) return misused("pod [NAME | -l label]");
        if (!words.words.empty() && (!select_.labels.empty() || !select_.fields.empty()))
            return misused("only one of NAME or selector can be provided");
        if (auto there = check_metrics(session); !there) return there;
        const auto space = session.namespace_name();
        if (!space) return pass_on(space);
        std::string path = kMetrics;
        if (!select_.all_namespaces) path += "/namespaces/" + encode_segment(*space);
        path += "/pods";
        if (!words.words.empty()) path += "/" + encode_segment(words.words.front());
        const auto api = session.api();
        const auto answer = (*api)->ask({.path = path, .query = selector_query(&select_)});
        if (!answer) return pass_on(answer);
        print_pods(*answer, *space);
        return {};
    }

  private:
    [[nodiscard]] std::vector<Line> lines_of(const Object& pod) const {
        std::vector<Line> lines;
        Line whole{.namespace_name = namespace_of(pod), .name = name_of(pod)};
        for (const Object& container : member(pod, "containers")) {
            whole.usage.add(member(container, "usage"));
            Line line{whole.namespace_name, whole.name, text_at(container, "name"), {}};
            line.usage.add(member(container, "usage"));
            if (shows_containers_) lines.push_back(line);
        }
        if (!shows_containers_) lines.push_back(whole);
        return lines;
    }

    void print_pods(const Object& answer, const std::string& space) const {
        std::vector<Line> lines;
        const auto add = [&](const Object& pod) {
            for (Line& line : lines_of(pod)) lines.push_back(std::move(line));
        };
        if (member(answer, "items").is_array())
            for (const Object& pod : member(answer, "items")) add(pod);
        else
            add(answer);
        if (lines.empty())
            return warn(select_.all_namespaces ? "No resources found"
                                               : "No resources found in " + space + " namespace.");
        sort_lines(lines, sort_by_);
        Columns columns;
        if (!has_no_headers_) columns.add(row("NAMESPACE", "POD", "NAME", "CPU(cores)", "MEMORY(bytes)"));
        Usage sum;
        for (const Line& line : lines) {
            columns.add(row(line.namespace_name, line.name, line.container, line.usage.cpu_text(),
                            line.usage.memory_text()));
            sum.milli_cpu += line.usage.milli_cpu;
            sum.bytes += line.usage.bytes;
        }
        if (shows_sum_) {
            columns.add(row("", "", "", "________", "________"));
            columns.add(row("", "", "", sum.cpu_text(), sum.memory_text()));
        }
        print(columns.take());
    }

    [[nodiscard]] std::vector<std::string> row(const std::string& space, const std::string& pod,
                                               const std::string& container, const std::string& cpu,
                                               const std::string& memory) const {
        std::vector<std::string> cells;
        if (select_.all_namespaces) cells.push_back(space);
        cells.push_back(!shows_containers_ && pod == "POD" ? "NAME" : pod);
        if (shows_containers_) cells.push_back(container);
        cells.push_back(cpu);
        cells.push_back(memory);
        return cells;
    }

    SelectFlags select_;
    bool shows_containers_ = false;
    std::string sort_by_;
    bool has_no_headers_ = false;
    bool shows_sum_ = false;
    bool ignored_ = false;
};

}  // namespace

void add_top_commands(Registry& registry) {
    registry.add({"top",
                  "Cluster Management Commands",
                  "[flags] [options]",
                  "Show how much CPU and memory is used",
                  "",
                  {}});
    registry.add<TopNodes>("top node", "", "[NAME | -l label] [options]", "By nodes", "  keelctl top node");
    registry.add_alias("top nodes", "top node");
    registry.add<TopPods>("top pod", "", "[NAME | -l label] [options]", "By pods", "  keelctl top pod -A");
    registry.add_alias("top pods", "top pod");
}

}  // namespace keelson::cli::kube
