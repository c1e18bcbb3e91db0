// The routes of plugins.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "kernel/admin/documents.h"
#include "kernel/admin/members.h"
#include "kernel/admin/routes.h"

namespace keelson::admin {
namespace {

using plugin::Info;

Outcome answer_info(tl::expected<Info, Problem> info) {
    if (!info) return refuse(std::move(info).error());
    return answer_with(plugin_document(*info));
}

const std::string& name_in(const Request& request) {
    return request.parameters.find("name")->second;
}

Problem no_such_plugin(const Context& context, const std::string& name) {
    std::string known;
    for (const Info& info : context.parts.plugins.list()) known += (known.empty() ? "" : ", ") + info.name;
    return {404, "there is no plugin '" + name + "' (there are: " + (known.empty() ? "none" : known) +
                     "); add one with POST /v1/plugins"};
}

tl::expected<void, Problem> need_plugin(const Context& context, const std::string& name) {
    if (context.parts.plugins.find(name)) return {};
    return refuse(no_such_plugin(context, name));
}

Outcome set_enabled(Context& context, const Request& request, bool enabled) {
    if (auto there = need_plugin(context, name_in(request)); !there) return refuse(there.error());
    return answer_info(context.wait(context.parts.plugins.enable(name_in(request), enabled)));
}

tl::expected<std::optional<plugin::Isolation>, Problem> read_isolation(const Members& members) {
    const auto text = members.text("isolation");
    if (!text) return std::nullopt;
    for (const auto isolation : {plugin::Isolation::process, plugin::Isolation::in_process})
        if (*text == plugin::isolation_text(isolation)) return isolation;
    Problem problem(400, "the isolation '" + *text + "' is not known: use process or in-process");
    problem.errors.push_back({"isolation", "must be process or in-process"});
    return refuse(std::move(problem));
}

// As manifests have it: the name becomes part of paths.
tl::expected<std::string, Problem> read_name(const Members& members) {
    std::string name = members.text("name").value_or("");
    if (name.size() <= 100 &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos)
        return name;
    Problem problem(400, "the name must be of a-z, 0-9 and '-', at most 100 letters");
    problem.errors.push_back({"name", "must be of a-z, 0-9 and '-'"});
    return refuse(std::move(problem));
}

// Lines of calls on their way from the plugin's threads to one client. Bounded: a client that reads too
// slowly misses lines and is told how many.
class TraceQueue {
  public:
    void push(const std::string& line) {
        const std::lock_guard lock(mutex_);
        if (bytes_ + line.size() > kBytes) {
            ++dropped_;
            return;
        }
        bytes_ += line.size();
        lines_.push_back(line);
        arrived_.notify_one();
    }
    // What has come, soon; empty after a while without anything.
    std::string take() {
        std::unique_lock lock(mutex_);
        arrived_.wait_for(lock, std::chrono::milliseconds(200), [this] { return !lines_.empty(); });
        std::string text;
        for (const std::string& line : lines_) text += line + "\n";
        lines_.clear();
        bytes_ = 0;
        if (dropped_ > 0) text += "{\"dropped\":" + std::to_string(std::exchange(dropped_, 0)) + "}\n";
        return text;
    }

  private:
    static constexpr std::size_t kBytes = 4u << 20;
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<std::string> lines_;
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0;
};

// One of the few streams that may be open at once.
class TracePlace {
  public:
    explicit TracePlace(Context& context) : context_(context), number_(++context.traces) {}
    ~TracePlace() { --context_.traces; }
    TracePlace(const TracePlace&) = delete;
    TracePlace& operator=(const TracePlace&) = delete;
    [[nodiscard]] bool is_good() const { return number_ <= context_.parts.limits.traces; }

  private:
    Context& context_;
    int number_;
};

struct Trace {
    Trace(Context& context, std::string plugin) : name(std::move(plugin)), place(context) {}

    std::string name;
    TracePlace place;
    std::weak_ptr<plugin::Plugin> traced;
    TraceQueue queue;
    std::shared_ptr<void> tracing;  // ends before what it writes to
};

void stream_trace(Context& context, Trace& trace, std::uint64_t seconds, BodySink& sink) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    bool is_there = sink.write({});
    while (is_there && context.gate->stage() == Gate::Stage::open && (seconds == 0 || Clock::now() < end)) {
        const std::string text = trace.queue.take();
        is_there = text.empty() ? !sink.is_gone() : sink.write(text);
        // Removed, and perhaps added again: that is another one.
        const auto now = context.parts.plugins.find(trace.name);
        is_there = is_there && now && now == trace.traced.lock();
    }
}

}  // namespace

Outcome list_plugins(Context& context, Request&) {
    return answer_with(plugins_document(context.parts.plugins.list()));
}

Outcome get_plugin(Context& context, Request& request) {
    const auto found = context.parts.plugins.find(name_in(request));
    if (!found) return refuse(no_such_plugin(context, name_in(request)));
    return answer_with(plugin_document(found->info()));
}

Outcome add_plugin(Context& context, Request& request) {
    auto members = Members::parse(request.body, request.route->members);
    if (!members) return refuse(std::move(members).error());
    auto isolation = read_isolation(*members);
    if (!isolation) return refuse(std::move(isolation).error());
    auto name = read_name(*members);
    if (!name) return refuse(std::move(name).error());
    plugin::PluginSettings settings;
    settings.manifest_path = *members->text("manifest");
    settings.name = std::move(*name);
    settings.config = members->document("config");
    settings.isolation = *isolation;
    settings.sha256 = members->text("sha256").value_or("");
    request.note = "manifest=" + settings.manifest_path + " name=" + settings.name;
    const auto info = context.wait(context.parts.plugins.add(std::move(settings)));
    if (!info) return refuse(info.error());
    Answer answer = answer_with(plugin_document(*info), 201);
    answer.headers.emplace_back("Location", "/v1/plugins/" + info->name);
    return answer;
}

Outcome configure_plugin(Context& context, Request& request) {
    if (auto there = need_plugin(context, name_in(request)); !there) return refuse(there.error());
    auto config = parse_object(request.body);
    if (!config) return refuse(std::move(config).error());
    return answer_info(context.wait(context.parts.plugins.configure(name_in(request), std::move(*config))));
}

Outcome accept_objects(Context& context, Request& request) {
    if (auto there = need_plugin(context, name_in(request)); !there) return refuse(there.error());
    auto objects = plugin::parse_object_access(request.body);
    if (!objects) return refuse(400, "the body " + objects.error().message());
    for (const plugin::ObjectAccess& access : *objects)
        request.note += (request.note.empty() ? "" : ", ") + plugin::access_text(access);
    return answer_info(context.wait(context.parts.plugins.accept(name_in(request), std::move(*objects))));
}

Outcome enable_plugin(Context& context, Request& request) {
    return set_enabled(context, request, true);
}

Outcome disable_plugin(Context& context, Request& request) {
    return set_enabled(context, request, false);
}

Outcome reload_plugin(Context& context, Request& request) {
    if (auto there = need_plugin(context, name_in(request)); !there) return refuse(there.error());
    return answer_info(context.wait(context.parts.plugins.reload(name_in(request))));
}

Outcome replace_plugin(Context& context, Request& request) {
    if (auto there = need_plugin(context, name_in(request)); !there) return refuse(there.error());
    auto members = Members::parse(request.body, request.route->members);
    if (!members) return refuse(std::move(members).error());
    const std::string manifest = *members->text("manifest");
    request.note = "manifest=" + manifest;
    return answer_info(context.wait(context.parts.plugins.replace(name_in(request), manifest)));
}

Outcome remove_plugin(Context& context, Request& request) {
    if (auto there = need_plugin(context, name_in(request)); !there) return refuse(there.error());
    const bool force = request.query_value("force") == "true";
    if (force) request.note = "force";
    auto removed = context.wait(context.parts.plugins.remove(name_in(request), force));
    if (!removed && removed.error().status == 409)
        removed.error().detail += "; end what uses it, or add ?force=true";
    if (!removed) return refuse(std::move(removed).error());
    return answer_with({}, 204);
}

Outcome trace_plugin(Context& context, Request& request) {
    if (auto there = need_plugin(context, name_in(request)); !there) return refuse(there.error());
    const std::string text = request.query_value("seconds");
    const std::uint64_t seconds = text.empty() ? 0 : std::stoull(text);
    if (!text.empty() && (seconds < 1 || seconds > 3600))
        return refuse(400, "'seconds' must be 1 to 3600, or left out to trace until the client goes");
    auto trace = std::make_shared<Trace>(context, name_in(request));
    if (!trace->place.is_good())
        return refuse(429, "there are " + std::to_string(context.parts.limits.traces) +
                               " traces already, which is the limit: end one of them first");
    // Before the head goes out: a client that sees it misses nothing any more.
    trace->traced = context.parts.plugins.find(trace->name);
    trace->tracing = context.parts.plugins.trace(
        trace->name, [&queue = trace->queue](const std::string& line) { queue.push(line); });
    Answer answer;
    answer.content_type = "application/x-ndjson";
    answer.stream = [&context, trace, seconds](BodySink& sink) {
        stream_trace(context, *trace, seconds, sink);
    };
    return answer;
}

}  // namespace keelson::admin
