// keelctl port-forward
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/describe/description.h"
#include "cli/kube/command.h"
#include "cli/streams/forwarder.h"
#include "cli/streams/pods.h"
#include "cli/streams/stream_commands.h"

namespace keelson::cli::kube {
namespace {

using streams::NamedPods;
using streams::PortPair;

std::optional<std::uint16_t> read_port(const std::string& text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return port;
}

// A port of the pod's containers, by its name.
std::optional<std::uint16_t> named_port(const Object& pod, const std::string& name) {
    for (const char* list : {"containers", "initContainers"})
        for (const Object& container : member(pod, {"spec", list}))
            for (const Object& port : member(container, "ports"))
                if (text_at(port, "name") == name)
                    return static_cast<std::uint16_t>(describing::number(member(port, "containerPort")));
    return std::nullopt;
}

// A port of the service, by number or name, as that of its pod.
Result<std::uint16_t> service_port(const Object& service, const Object& pod, const std::string& wanted) {
    const auto number = read_port(wanted);
    for (const Object& port : member(service, {"spec", "ports"})) {
        const auto its_number = describing::number(member(port, "port"));
        const bool is_it = number ? its_number == *number : text_at(port, "name") == wanted;
        if (!is_it) continue;
        if (text_at(member(service, "spec"), "clusterIP") == "None")
            return static_cast<std::uint16_t>(its_number);
        const Object& target = member(port, "targetPort");
        if (target.is_number() && target != 0) return target.get<std::uint16_t>();
        if (!target.is_string()) return static_cast<std::uint16_t>(its_number);
        if (const auto found = named_port(pod, target.get<std::string>())) return *found;
        return fail("Pod '" + name_of(pod) + "' does not have a named port '" + target.get<std::string>() +
                    "'");
    }
    return fail("Service " + name_of(service) + " does not have a " +
                (number ? "service port " : "named port ") + wanted);
}

Result<std::uint16_t> remote_port(const NamedPods& found, const std::string& wanted) {
    const Object& pod = found.pods.front();
    if (text_at(found.object, "kind") == "Service") return service_port(found.object, pod, wanted);
    if (const auto number = read_port(wanted)) {
        if (*number > 0) return *number;
        return fail("remote port must be > 0");
    }
    if (const auto named = named_port(pod, wanted)) return *named;
    return fail("Pod '" + name_of(pod) + "' does not have a named port '" + wanted + "'");
}

// PORT, LOCAL:REMOTE or :REMOTE
Result<PortPair> read_pair(const NamedPods& found, const std::string& text) {
    const std::size_t colon = text.find(':');
    const std::string remote = colon == std::string::npos ? text : text.substr(colon + 1);
    const auto there = remote_port(found, remote);
    if (!there) return pass_on(there);
    PortPair pair{*there, *there};
    if (colon == std::string::npos) {
        if (const auto same = read_port(text)) pair.local = *same;
        return pair;
    }
    const std::string local = text.substr(0, colon);
    const auto here = local.empty() ? std::optional<std::uint16_t>(0) : read_port(local);
    if (!here)
        return fail("error parsing local port \"" + local + "\": strconv.ParseUint: parsing \"" + local +
                    "\": invalid syntax");
    pair.local = *here;
    return pair;
}

class PortForward : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.list("address", addresses_, "Where to listen: IP addresses or localhost");
        flags.duration("pod-running-timeout", patience_, "How long to wait until a pod runs");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.size() < 2)
            return misused("TYPE/NAME and list of ports are required for port-forward");
        const auto found = streams::find_pods(session, words.words.front());
        if (!found) return pass_on(found);
        const Object& pod = found->pods.front();
        const std::string phase = text_at(member(pod, "status"), "phase");
        if (phase != "Running")
            return fail("unable to forward port because pod is not running. Current status=" + phase);
        std::vector<PortPair> pairs;
        for (std::size_t i = 1; i < words.words.size(); ++i) {
            const auto pair = read_pair(*found, words.words[i]);
            if (!pair) return pass_on(pair);
            pairs.push_back(*pair);
        }
        const auto api = session.api();
        if (!api) return pass_on(api);
        return streams::forward_ports(**api,
                                      {.path = "/api/v1/namespaces/" + encode_segment(namespace_of(pod)) +
                                               "/pods/" + encode_segment(name_of(pod)) + "/portforward"},
                                      addresses_, pairs);
    }

  private:
    std::vector<std::string> addresses_{"localhost"};
    std::int64_t patience_ = 60'000'000'000;
};

}  // namespace

void add_port_forward_command(Registry& registry) {
    registry.add<PortForward>(
        "port-forward", "Troubleshooting and Debugging Commands",
        "TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
        "Make ports of a pod reachable here",
        "  keelctl port-forward pod/web 80 9100\n  keelctl port-forward service/web 8000:http\n  keelctl "
        "port-forward pod/web :80");
}

}  // namespace keelson::cli::kube
