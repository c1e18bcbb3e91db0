// keelctl logs
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "cli/kube/command.h"
#include "cli/kube/resources.h"
#include "cli/output.h"
#include "cli/streams/pods.h"
#include "cli/streams/stream_commands.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::kube {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kTailOfSelected = 10;
constexpr std::size_t kLongestLine = 1u << 20;  // longer ones are printed in parts

struct Source {
    std::string namespace_name, pod, container;
};

// Whole lines with what is put before them; the last may lack its end.
class Lines {
  public:
    explicit Lines(std::string prefix) : prefix_(std::move(prefix)) {}

    std::string take(std::string_view piece) {
        if (prefix_.empty()) return std::string(piece);
        std::string text;
        while (!piece.empty()) {
            const std::size_t end = piece.find('\n');
            const bool is_whole = end != std::string_view::npos;
            line_ += piece.substr(0, is_whole ? end + 1 : piece.size());
            piece.remove_prefix(is_whole ? end + 1 : piece.size());
            if (is_whole || line_.size() > kLongestLine) text += prefix_ + std::exchange(line_, {});
        }
        return text;
    }
    std::string rest() { return line_.empty() ? std::string() : prefix_ + std::exchange(line_, {}); }

  private:
    std::string prefix_;
    std::string line_;
};

class Logs : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_selector_flag(flags, select_);
        flags.flag("f,follow", follows_, "Go on with lines as they come");
        flags.flag("p,previous", previous_, "Of the container's run before this one");
        flags.text("c,container", container_, "Which container");
        flags.flag("all-containers", all_containers_, "Of all containers");
        flags.flag("all-pods", all_pods_, "Of all pods, where there are several");
        flags.flag("timestamps", has_timestamps_, "Each line with its time");
        flags.flag("prefix", has_prefix_, "Each line with its pod and container");
        flags.flag("ignore-errors", ignores_errors_, "Go on when a log cannot be read");
        flags.flag("insecure-skip-tls-verify-backend", skips_verification_,
                   "The server need not check the node's certificate");
        flags.duration("since", since_, "Only lines younger than this, such as 90s or 2h");
        flags.text("since-time", since_time_, "Only lines after this time, such as 2026-01-31T08:00:00Z");
        flags.number("tail", tail_, "Only so many lines, the last ones; -1: all");
        flags.number("limit-bytes", limit_bytes_, "Stop after so many bytes");
        flags.number("max-log-requests", most_requests_, "How many logs may be followed at once with -l");
        flags.duration("pod-running-timeout", patience_, "How long to wait until a pod runs");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = check(words.words); !good) return good;
        const auto api = session.api();
        if (!api) return pass_on(api);
        const auto sources = find_sources(session, words.words);
        if (!sources) return pass_on(sources);
        if (!follows_ || sources->size() == 1) return print_in_turn(**api, *sources);
        if (sources->size() > static_cast<std::size_t>(std::max<std::int64_t>(most_requests_, 0)))
            return fail("you are attempting to follow " + std::to_string(sources->size()) +
                        " log streams, but maximum allowed concurrency is " + std::to_string(most_requests_) +
                        ", use --max-log-requests to increase the limit");
        return follow_all(**api, *sources);
    }

  private:
    Result<void> check(const std::vector<std::string>& words) {
        const bool has_selector = !select_.labels.empty();
        if (words.empty() && !has_selector)
            return misused(
                "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required "
                "argument for the logs command");
        if (!words.empty() && has_selector) return misused("only a selector (-l) or a POD name is allowed");
        if (words.size() > 2)
            return misused(
                "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required "
                "argument for the logs command");
        if (words.size() == 2 && !container_.empty())
            return fail("only one of -c or an inline [CONTAINER] arg is allowed");
        if (words.size() == 2) container_ = words[1];
        if (all_containers_ && !container_.empty())
            return fail("--all-containers=true should not be specified with container name " + container_);
        if (flags().was_given("since") && !since_time_.empty())
            return fail("at most one of `sinceTime` or `sinceSeconds` may be specified");
        if (!since_time_.empty() && !object::parse_time(since_time_))
            return fail(object::parse_time(since_time_).error().message());
        if (since_ < 0) return fail("--since must be greater than 0");
        if (limit_bytes_ < 0) return fail("--limit-bytes must be greater than 0");
        if (tail_ < -1) return fail("--tail must be greater than or equal to -1");
        if (has_selector && !flags().was_given("tail")) tail_ = kTailOfSelected;
        return {};
    }

    static Failure about_logs(Failure failure) {
        constexpr std::string_view kAttaching = "cannot attach to ";
        if (failure.message.starts_with(kAttaching))
            failure.message.replace(0, kAttaching.size(), "cannot get the logs from ");
        return failure;
    }

    Result<std::vector<Source>> find_sources(Session& session, const std::vector<std::string>& words) {
        std::vector<Object> pods;
        if (words.empty()) {
            const auto name = session.namespace_name();
            if (!name) return pass_on(name);
            const auto api = session.api();
            const auto list = (*api)->ask({.path = "/api/v1/namespaces/" + encode_segment(*name) + "/pods",
                                           .query = selector_query(&select_)});
            if (!list) return pass_on(list);
            for (const Object& pod : member(*list, "items")) pods.push_back(pod);
            if (pods.empty()) warn("No resources found in " + *name + " namespace.");
        } else {
            auto found = streams::find_pods(session, words.front());
            if (!found && is_not_found(found.error()))
                return fail("error from server (NotFound): " + found.error().refusal->message +
                            " in namespace \"" + session.namespace_name().value_or("") + "\"");
            if (!found) return tl::unexpected(about_logs(found.error()));
            pods = std::move(found->pods);
            if (pods.size() > 1 && !all_pods_) {
                warn("Found " + std::to_string(pods.size()) + " pods, using pod/" + name_of(pods.front()));
                pods.resize(1);
            }
        }
        if (all_pods_) has_prefix_ = true;
        return sources_of(pods);
    }

    Result<std::vector<Source>> sources_of(const std::vector<Object>& pods) const {
        std::vector<Source> sources;
        for (const Object& pod : pods) {
            std::vector<std::string> containers{container_};
            const auto all = streams::all_containers(pod);
            if (!container_.empty() && std::find(all.begin(), all.end(), container_) == all.end())
                return fail("container " + container_ + " is not valid for pod " + name_of(pod));
            if (all_containers_) {
                containers = all;
            } else if (container_.empty()) {
                const auto picked = streams::pick_container(pod, "", false);
                if (!picked) return pass_on(picked);
                containers = {*picked};
            }
            for (const std::string& container : containers)
                sources.push_back({namespace_of(pod), name_of(pod), container});
        }
        return sources;
    }

    ApiCall call_of(const Source& source) const {
        ApiCall call{.path = "/api/v1/namespaces/" + encode_segment(source.namespace_name) + "/pods/" +
                             encode_segment(source.pod) + "/log"};
        if (!source.container.empty()) call.query.emplace_back("container", source.container);
        for (const auto& [name, is_set] : {std::pair{"follow", follows_}, std::pair{"previous", previous_},
                                           std::pair{"timestamps", has_timestamps_},
                                           std::pair{"insecureSkipTLSVerifyBackend", skips_verification_}})
            if (is_set) call.query.emplace_back(name, "true");
        // A part of a second is one.
        if (since_ > 0)
            call.query.emplace_back("sinceSeconds", std::to_string((since_ + kSecond - 1) / kSecond));
        if (!since_time_.empty()) call.query.emplace_back("sinceTime", since_time_);
        if (tail_ != -1) call.query.emplace_back("tailLines", std::to_string(tail_));
        if (limit_bytes_ > 0) call.query.emplace_back("limitBytes", std::to_string(limit_bytes_));
        call.accept = "*/*";
        return call;
    }

    std::string prefix_of(const Source& source) const {
        return has_prefix_ ? "[pod/" + source.pod + "/" + source.container + "] " : "";
    }

    Result<void> copy(Api& api, const Source& source, std::mutex& printing) {
        Lines lines(prefix_of(source));
        const auto show = [&](const std::string& text) {
            const std::lock_guard lock(printing);
            return print(text) && flush_output();
        };
        auto done =
            api.stream(call_of(source), [&](std::string_view piece) { return show(lines.take(piece)); });
        if (const std::string rest = lines.rest(); !rest.empty()) show(rest);
        return done;
    }

    // Whether to go on after it.
    std::optional<Failure> taken(const Failure& failure) const {
        if (!ignores_errors_) return failure;
        warn("error: " + line_of(failure));
        return std::nullopt;
    }

    Result<void> print_in_turn(Api& api, const std::vector<Source>& sources) {
        std::mutex printing;
        for (const Source& source : sources) {
            const auto done = copy(api, source, printing);
            if (done) continue;
            if (auto failure = taken(done.error())) return tl::unexpected(std::move(*failure));
        }
        return {};
    }

    // Each in a thread of its own; the first failure ends the program's wait.
    Result<void> follow_all(const Api& api, const std::vector<Source>& sources) {
        std::mutex printing;
        std::mutex failing;
        std::optional<Failure> first;
        std::vector<std::thread> threads;
        threads.reserve(sources.size());
        for (const Source& source : sources)
            threads.emplace_back([&, own = api]() mutable {
                const auto done = copy(own, source, printing);
                if (done) return;
                const std::lock_guard lock(failing);
                if (auto failure = taken(done.error()); failure && !first) first = std::move(failure);
            });
        for (std::thread& thread : threads) thread.join();
        if (first) return tl::unexpected(std::move(*first));
        return {};
    }

    SelectFlags select_;
    bool follows_ = false;
    bool previous_ = false;
    std::string container_;
    bool all_containers_ = false;
    bool all_pods_ = false;
    bool has_timestamps_ = false;
    bool has_prefix_ = false;
    bool ignores_errors_ = false;
    bool skips_verification_ = false;
    std::int64_t since_ = 0;
    std::string since_time_;
    std::int64_t tail_ = -1;
    std::int64_t limit_bytes_ = 0;
    std::int64_t most_requests_ = 5;
    std::int64_t patience_ = 20 * kSecond;
};

}  // namespace

void add_logs_command(Registry& registry) {
    registry.add<Logs>(
        "logs", "Troubleshooting and Debugging Commands",
        "[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER] [options]", "Print what containers have written",
        "  keelctl logs web\n  keelctl logs -f -c web deployment/web\n  keelctl logs -l app=web "
        "--all-containers --prefix");
}

}  // namespace keelson::cli::kube
