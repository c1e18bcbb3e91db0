// keelctl expose
#include <nlohmann/json.hpp>

#include "cli/workloads/command_groups.h"
#include "cli/workloads/generator.h"
#include "cli/workloads/pod_specs.h"

namespace keelson::cli::kube {
namespace {

class Expose final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, "keelctl-expose");
        add_print_flags(flags, print_);
        flags.text("port", port_, "The service's port");
        flags.text("target-port", target_port_, "The port of the pods, by number or name");
        flags.text("protocol", protocol_, "TCP, UDP or SCTP");
        flags.text("name", name_, "How it will be called");
        flags.text("type", type_, "ClusterIP, NodePort, LoadBalancer or ExternalName");
        flags.text("selector", selector_, "The labels of its pods, NAME=VALUE,...");
        flags.text("l,labels", labels_, "The service's own labels");
        flags.text("external-ip", external_address_, "Another address that leads to it");
        flags.text("load-balancer-ip", balancer_address_, "The address to ask a load balancer for");
        flags.text("session-affinity", affinity_, "ClientIP: a client stays with one pod; None: it does not");
        flags.text("cluster-ip", cluster_address_, "The address; None: only a name");
        flags.text("overrides", overrides_, "JSON that is merged into the service");
    }

    Result<void> run(Session& session, const Words& words) override {
        return for_each_object(session, {words.words, &files_}, [&](Item& item) -> Result<void> {
            auto service = make(item);
            if (!service) return pass_on(service);
            return create_and_tell(session, std::move(*service), write_, print_, "exposed");
        });
    }

  private:
    Result<Object> make(const Item& item) const {
        const std::string kind = item.resource->kind;
        const bool is_known = kind == "Pod" || kind == "Service" || kind == "ReplicationController" ||
                              kind == "Deployment" || kind == "ReplicaSet";
        if (!is_known) return fail("cannot expose a " + kind);
        auto selector = selector_of(item);
        if (!selector) return pass_on(selector);
        Object service = new_object("v1", "Service", name_.empty() ? item.name : name_);
        const auto labels = labels_.empty() ? Result<Object>(member(item.object, {"metadata", "labels"}))
                                            : read_pairs(labels_, "label spec");
        if (!labels) return pass_on(labels);
        if (labels->is_object() && !labels->empty()) service["metadata"]["labels"] = *labels;
        auto ports = ports_of(item);
        if (!ports) return pass_on(ports);
        Object& spec = service["spec"];
        spec = {{"ports", *ports}, {"selector", *selector}};
        for (const auto& [member_name, value] :
             {std::pair{"type", &type_}, std::pair{"loadBalancerIP", &balancer_address_},
              std::pair{"sessionAffinity", &affinity_}, std::pair{"clusterIP", &cluster_address_}})
            if (!value->empty()) spec[member_name] = *value;
        if (!external_address_.empty()) spec["externalIPs"] = {external_address_};
        service["status"] = {{"loadBalancer", Object::object()}};
        if (!overrides_.empty()) {
            const auto change = parse_object(overrides_, "--overrides");
            if (!change) return pass_on(change);
            service.merge_patch(*change);
        }
        return service;
    }

    Result<Object> selector_of(const Item& item) const {
        if (!selector_.empty()) return read_pairs(selector_, "selector");
        const std::string& kind = item.resource->kind;
        const Object& labels = member(item.object, {"metadata", "labels"});
        const Object& selector = member(item.object, {"spec", "selector"});
        if (kind == "Pod") {
            if (labels.empty())
                return fail(
                    "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels "
                    "and cannot be exposed");
            return labels;
        }
        if (kind == "Service" || kind == "ReplicationController") {
            if (selector.empty())
                return fail(
                    "couldn't retrieve selectors via --selector flag or introspection: invalid service '" +
                    item.name + "': no selector");
            return selector;
        }
        if (!member(selector, "matchExpressions").empty())
            return fail(
                "couldn't retrieve selectors via --selector flag or introspection: couldn't convert "
                "expressions - \"" +
                compact(member(selector, "matchExpressions")) + "\" to map-based selector format");
        return member(selector, "matchLabels");
    }

    // Of --port, else those that the object's containers or the service have.
    Result<Object> ports_of(const Item& item) const {
        std::vector<std::pair<Object, std::string>> found;
        if (!port_.empty()) {
            for (const std::string& one : split_text(port_, ',')) {
                const Object port = number_or_text(one);
                if (!port.is_number()) return fail("strconv.Atoi: parsing \"" + one + "\": invalid syntax");
                found.emplace_back(port, protocol_.empty() ? protocol_at(item, port) : protocol_);
            }
        } else if (item.resource->kind == "Service") {
            for (const Object& port : member(item.object, {"spec", "ports"}))
                found.emplace_back(member(port, "port"), text_at(port, "protocol"));
        } else if (const Object* spec = find_pod_spec(item.object)) {
            for (const Object& container : member(*spec, "containers"))
                for (const Object& port : member(container, "ports"))
                    found.emplace_back(member(port, "containerPort"),
                                       protocol_.empty() ? text_at(port, "protocol") : protocol_);
        }
        if (found.empty()) return fail("couldn't find port via --port flag or introspection");
        Object ports = Object::array();
        for (const auto& [number, protocol] : found) {
            Object port{{"port", number},
                        {"protocol", protocol.empty() ? "TCP" : protocol},
                        {"targetPort", target_port_.empty() ? number : number_or_text(target_port_)}};
            if (found.size() > 1) port["name"] = "port-" + std::to_string(ports.size() + 1);
            ports.push_back(port);
        }
        return ports;
    }

    static std::string protocol_at(const Item& item, const Object& number) {
        const Object* spec = find_pod_spec(item.object);
        if (spec == nullptr) return {};
        for (const Object& container : member(*spec, "containers"))
            for (const Object& port : member(container, "ports"))
                if (member(port, "containerPort") == number) return text_at(port, "protocol");
        return {};
    }

    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    std::string port_, target_port_, protocol_, name_, type_, selector_, labels_;
    std::string external_address_, balancer_address_, affinity_, cluster_address_, overrides_;
};

}  // namespace

void add_expose_command(Registry& registry) {
    registry.add<Expose>(
        "expose", "Basic Commands",
        "(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] "
        "[--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] "
        "[--type=type] [options]",
        "Give pods one address: a service", "  keelctl expose deployment web --port=80 --target-port=8000");
}

}  // namespace keelson::cli::kube
