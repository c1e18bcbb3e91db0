#include "kernel/node/node_reports.h"

#include "kernel/node/container_life.h"
#include "kernel/node/pod_plan.h"
#include "kernel/object/json.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using base::Reason;
using base::Result;
using base::Status;

std::string waiting_text(const PodRecord& record, const ContainerRecord& container) {
    std::string reason = container.waiting_reason;
    if (reason.empty())
        reason = container.role == ContainerRole::main && !is_initialized(record) ? "PodInitializing"
                                                                                  : "ContainerCreating";
    return "container \"" + container.name + "\" in pod \"" + record.pod->key().name +
           "\" is waiting to start: " + reason;
}

// The name that was meant: the given one, the annotated one, or the only one.
Result<std::string> meant_container(const PodRecord& record, const ContainerQuery& query) {
    const std::string& pod = record.pod->key().name;
    if (!query.container.empty()) {
        if (container_of(record.object(), query.container).is_set()) return query.container;
        return Status(Reason::bad_request, "container " + query.container + " is not valid for pod " + pod);
    }
    const auto containers = record.object().spec().containers();
    const std::string_view wanted =
        record.object().metadata().annotations()["kubectl.kubernetes.io/default-container"];
    if (!wanted.empty() && container_of(record.object(), wanted).is_set()) return std::string(wanted);
    if (containers.size() == 1) return std::string(containers[0].name());
    std::string names;
    for (const core_v1::Container container : containers)
        names += (names.empty() ? "" : " ") + std::string(container.name());
    return Status(Reason::bad_request,
                  "a container name must be specified for pod " + pod + ", choose one of: [" + names + "]");
}

}  // namespace

std::string list_pods(const Records& records) {
    std::string text = R"({"kind":"PodList","apiVersion":"v1","metadata":{},"items":[)";
    bool is_first = true;
    for (const auto& record : records) {
        if (!record->pod) continue;
        if (!is_first) text += ",";
        text += object::to_json(record->pod->root());
        is_first = false;
    }
    return text + "]}\n";
}

Result<ContainerView> container_view(const PodRecord& record, const ContainerQuery& query,
                                     const NodeSettings& settings) {
    KEELSON_TRY(const std::string name, meant_container(record, query));
    const std::string directory = ContainerLife::log_directory(settings, record);
    ContainerView view;
    view.sandbox_id = record.sandbox_id;
    for (const ContainerRecord& container : record.containers) {
        if (container.name != name) continue;
        if (!container.current) return Status(Reason::bad_request, waiting_text(record, container));
        view.id = container.current->id;
        view.is_running = container.is_running();
        view.log_path = directory + "/" + ContainerLife::log_path(name, container.current->attempt);
        if (container.previous)
            view.previous_log_path =
                directory + "/" + ContainerLife::log_path(name, container.previous->attempt);
    }
    if (view.id.empty())
        return Status(Reason::bad_request, "container \"" + name + "\" in pod \"" + record.pod->key().name +
                                               "\" is waiting to start: ContainerCreating");
    const core_v1::Container definition = container_of(record.object(), name);
    view.has_terminal = definition.tty();
    view.has_standard_input = definition.stdin();
    return view;
}

}  // namespace keelson::node
