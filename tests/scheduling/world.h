// A cluster to make decisions in, from objects written as YAML.
#pragma once

#include <string>
#include <string_view>

#include "kernel/base/ids.h"
#include "kernel/scheduling/decision.h"

namespace keelson::scheduling {

class World {
  public:
    World() = default;

    // {metadata: {name: ...}, ...}; 4 CPUs, 8Gi, 110 pods and the host name label unless the text says
    // otherwise.
    void node(std::string_view yaml);
    // Three nodes: n1 and n2 in zone a, n3 in zone b with the label disk=ssd.
    void three_nodes();
    // A pod without a node. The namespace is "default" and the uid "uid-" and the name, unless the text says
    // so.
    PodPointer pod(std::string_view yaml);
    // A pod on a node.
    PodPointer running(std::string_view node, std::string_view yaml);
    void claim(std::string_view yaml);
    void volume(std::string_view yaml);
    void storage_class(std::string_view yaml);

    Decision decide(std::string_view yaml);
    // The name of the node, or the message.
    std::string outcome(std::string_view yaml);
    // Only one node could have been taken, or it is the one in all of 20 tries.
    bool always_goes_to(std::string_view node, std::string_view yaml);

    object::Value parse(std::string_view yaml);

    object::Arena arena;
    PodReader reader;
    Cluster cluster;
    Nominations nominations;
    base::SeededRandom random{1};
    Decider decider{Profile(), cluster, nominations, random};
};

}  // namespace keelson::scheduling
