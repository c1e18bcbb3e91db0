// The logs of containers, whole or followed.
#include <charconv>
#include <optional>

#include "kernel/api/options.h"
#include "kernel/api/pod_target.h"
#include "kernel/api/streams_handler.h"
#include "kernel/object/field_errors.h"
#include "kernel/object/time_format.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Status;
using base::Task;
using object::FieldErrors;
using object::FieldPath;
using resource::Call;

struct LogQuery {
    node::LogOptions options;
    std::optional<std::int64_t> since_seconds;
    std::optional<base::WallTime> since_time;
    bool previous = false;
};

constexpr std::string_view kMustBePositive = "must be greater than 0";
// Longer ago than anything; keeps the subtraction from "now" in range.
constexpr std::int64_t kLongestSinceSeconds = std::int64_t{100} * 365 * 24 * 3600;

void check_stream(const LogQuery& query, FieldErrors& errors) {
    const std::string& stream = query.options.stream;
    if (stream.empty() || stream == "All") return;
    const FieldPath path("stream");
    if (stream != "Stdout" && stream != "Stderr")
        errors.not_supported(path, stream, {"All", "Stderr", "Stdout"});
    else if (query.options.tail_lines)
        errors.forbidden(FieldPath(), "`tailLines` and specific `stream` are mutually exclusive for now");
}

Result<void> check(const std::string& pod, const LogQuery& query) {
    FieldErrors errors;
    const node::LogOptions& options = query.options;
    if (options.tail_lines && *options.tail_lines < 0)
        errors.invalid(FieldPath("tailLines"), *options.tail_lines, "must be greater than or equal to 0");
    if (options.limit_bytes && *options.limit_bytes < 1)
        errors.invalid(FieldPath("limitBytes"), *options.limit_bytes, kMustBePositive);
    if (query.since_seconds && query.since_time)
        errors.forbidden(FieldPath(), "at most one of `sinceTime` or `sinceSeconds` may be specified");
    else if (query.since_seconds && *query.since_seconds < 1)
        errors.invalid(FieldPath("sinceSeconds"), *query.since_seconds, kMustBePositive);
    check_stream(query, errors);
    if (errors.empty()) return base::ok();
    return object::invalid_status("", "PodLogOptions", pod, errors);
}

Result<LogQuery> parse_query(const Request& request, const std::string& pod, base::WallTime now) {
    LogQuery query;
    query.previous = query_flag(request, "previous");
    query.options.follow = query_flag(request, "follow");
    query.options.timestamps = query_flag(request, "timestamps");
    query.options.stream = request.query_value("stream");
    KEELSON_TRY(query.options.tail_lines, query_integer(request, "tailLines"));
    KEELSON_TRY(query.options.limit_bytes, query_integer(request, "limitBytes"));
    KEELSON_TRY(query.since_seconds, query_integer(request, "sinceSeconds"));
    if (const std::string_view text = request.query_value("sinceTime"); !text.empty()) {
        const auto time = object::parse_time(text);
        if (!time) return resource::bad_request(time.error().message());
        query.since_time = object::wall_time_of(*time);
    }
    KEELSON_TRY_VOID(check(pod, query));
    query.options.since = query.since_time;
    if (query.since_seconds)
        query.options.since =
            now - std::chrono::seconds(std::min(*query.since_seconds, kLongestSinceSeconds));
    return query;
}

Task<void> send(Exchange& exchange, std::shared_ptr<node::LogReader> reader) {
    // Fails before the answer begins if it fails at all, mostly.
    auto reading = reader->next();
    Result<std::string> text = co_await reading;
    if (!text) {
        exchange.respond(status_response(text.error()));
        co_return;
    }
    std::string type = "text/plain";
    auto beginning = exchange.begin_stream(200, type);
    Result<void> sent = co_await beginning;
    while (sent && text && !text->empty()) {
        BodyPiece piece = std::make_shared<const std::string>(std::move(*text));
        auto writing = exchange.write(piece);
        sent = co_await writing;
        if (!sent) break;
        auto going_on = reader->next();
        text = co_await going_on;
    }
    if (sent) co_await exchange.end_stream();
}

using ReaderPointer = std::shared_ptr<node::LogReader>;

Task<void> answer(Exchange& exchange, Result<ReaderPointer> reader) {
    if (!reader) {
        exchange.respond(status_response(reader.error()));
        co_return;
    }
    exchange.on_close([reader = *reader] { reader->stop(); });
    auto sending = send(exchange, *reader);
    co_await sending;
    // A reader that nobody reads must not go on looking.
    (*reader)->stop();
}

Result<LogQuery> query_of(Exchange& exchange, const std::string& pod) {
    return parse_query(exchange.request(), pod, exchange.executor().clock().wall_now());
}

Result<PodTarget> find_container(Exchange& exchange, StreamParts parts, const Call& call,
                                 object::Arena& arena) {
    KEELSON_TRY_VOID(query_of(exchange, call.name));
    KEELSON_TRY(PodTarget target, find_pod(parts.lookup, call, arena));
    KEELSON_TRY_VOID(choose_container(target, exchange.request().query_value("container")));
    return target;
}

// A node that is not there is told of as if its kubelet had been asked.
Task<void> pass_log(Exchange& exchange, StreamParts parts, const PodTarget& target) {
    node::ContainerQuery query = target.query;
    query.uid.clear();
    const std::string path = node_path(exchange.request(), "containerLogs", query);
    const Result<NodeEndpoint> endpoint = node_endpoint(parts.lookup, target.node);
    std::string url = endpoint ? "https://" + endpoint->text + path.substr(0, path.find('?')) : std::string();
    auto passing = pass_to_node(
        exchange, parts, target.node, path, [url = std::move(url)](Exchange& asked, const std::string& why) {
            asked.respond(status_response(Status(base::Reason::unknown, "Get \"" + url + "\": " + why)));
        });
    co_await passing;
}

}  // namespace

Task<void> serve_pod_log(Exchange& exchange, StreamParts parts, const Call& call) {
    object::Arena arena;
    const Result<PodTarget> target = find_container(exchange, parts, call, arena);
    if (!target) {
        exchange.respond(status_response(target.error()));
        co_return;
    }
    // A pod without a node has no log yet.
    if (target->node.empty()) {
        exchange.respond(Response(204, "", ""));
        co_return;
    }
    if (const NodeGate::Node* node = parts.nodes.find(target->node)) {
        auto serving = serve_log_here(exchange, *node, target->query);
        co_await serving;
        co_return;
    }
    auto passing = pass_log(exchange, parts, *target);
    co_await passing;
}

Task<void> serve_log_here(Exchange& exchange, const NodeGate::Node& node, node::ContainerQuery container) {
    Result<LogQuery> query = query_of(exchange, container.pod);
    if (!query) {
        exchange.respond(status_response(query.error()));
        co_return;
    }
    auto opening = node.streams.logs(std::move(container), query->previous, std::move(query->options));
    Result<ReaderPointer> reader = co_await opening;
    auto answering = answer(exchange, std::move(reader));
    co_await answering;
}

}  // namespace keelson::api
