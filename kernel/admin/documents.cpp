#include "kernel/admin/documents.h"

#include <ctime>
#include <nlohmann/json.hpp>

namespace keelson::admin {
namespace {

using Json = nlohmann::ordered_json;

std::string write(const Json& document) {
    return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string time_text(base::WallTime time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32] = {};
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

Json methods_of(const plugin::Info& info) {
    Json methods = Json::array();
    for (const plugin::MethodStatistics& method : info.methods)
        methods.push_back({{"capability", method.capability},
                           {"method", method.method},
                           {"calls", method.calls},
                           {"failures", method.failures},
                           {"seconds", method.seconds}});
    return methods;
}

Json objects_of(const std::vector<plugin::ObjectAccess>& accesses) {
    Json list = Json::array();
    for (const plugin::ObjectAccess& access : accesses)
        list.push_back(
            {{"apiVersion", access.api_version}, {"resource", access.resource}, {"verbs", access.verbs}});
    return list;
}

Json describe(const plugin::Info& info) {
    Json document{{"name", info.name},
                  {"id", info.id},
                  {"kind", info.kind},
                  {"version", info.version},
                  {"description", info.description},
                  {"manifest", info.manifest_path},
                  {"sha256", info.sha256},
                  {"state", plugin::state_text(info.state)},
                  {"since", time_text(info.since)}};
    if (!info.reason.empty()) document["reason"] = info.reason;
    document["isolation"] = plugin::isolation_text(info.isolation);
    if (info.process_id != 0) document["processId"] = info.process_id;
    document["generation"] = info.generation;
    document["restarts"] = info.restarts;
    document["callsInFlight"] = info.calls_in_flight;
    document["capabilities"] = info.capabilities;
    if (!info.objects_accepted.empty() || !info.objects_waiting.empty())
        document["objects"] = {{"accepted", objects_of(info.objects_accepted)},
                               {"waiting", objects_of(info.objects_waiting)}};
    document["methods"] = methods_of(info);
    document["retired"] = Json::array();
    for (const plugin::RetiredGeneration& old : info.retired)
        document["retired"].push_back(
            {{"generation", old.number}, {"version", old.version}, {"loaded", old.is_loaded}});
    return document;
}

}  // namespace

std::string plugin_document(const plugin::Info& info) {
    return write(describe(info));
}

std::string plugins_document(const std::vector<plugin::Info>& infos) {
    Json items = Json::array();
    for (const plugin::Info& info : infos) items.push_back(describe(info));
    return write({{"items", std::move(items)}});
}

std::string store_document(const store::Statistics& statistics, const std::optional<StagedRestore>& staged) {
    Json document{{"revision", statistics.current},
                  {"compacted", statistics.compacted},
                  {"keys", statistics.keys},
                  {"fileBytes", statistics.file_bytes},
                  {"usedBytes", statistics.used_bytes},
                  {"commits", statistics.commits},
                  {"groups", statistics.groups},
                  {"deferred", statistics.deferred},
                  {"readOnly", statistics.read_only}};
    if (staged)
        document["stagedRestore"] = {
            {"sha256", staged->sha256}, {"bytes", staged->bytes}, {"restartRequired", true}};
    return write(document);
}

std::string preview_document(const RollbackPreview& preview, store::Revision revision) {
    Json changes = Json::array();
    for (const RollbackChange& change : preview.changes)
        changes.push_back({{"key", change.key}, {"change", change.change}});
    return write({{"dryRun", true},
                  {"revision", revision},
                  {"currentRevision", preview.current},
                  {"created", preview.created},
                  {"updated", preview.updated},
                  {"removed", preview.removed},
                  {"changes", std::move(changes)},
                  {"truncated", preview.is_truncated}});
}

std::string quoted(std::string_view text) {
    return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string text_document(std::string_view name, std::string_view text) {
    return write({{std::string(name), text}});
}

Answer answer_with(std::string document, int status) {
    Answer answer;
    answer.status = status;
    answer.body = std::move(document);
    return answer;
}

}  // namespace keelson::admin
