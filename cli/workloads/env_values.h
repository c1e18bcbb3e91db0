// Values of environment variables that come from elsewhere, as far as they can be known without the pod.
#pragma once

#include <map>
#include <string>

#include "cli/kube/session.h"

namespace keelson::cli::kube {

// "configmap NAME, key KEY", "field path metadata.name", ...: where a `valueFrom` takes its value.
std::string source_of_value(const Object& value_from);

class EnvValues {
  public:
    // Config maps and secrets are those of the line's namespace; each is read once, when it is needed.
    explicit EnvValues(Session& session) : session_(session) {}

    // Fields are those of the object, of which a pod may have others, and amounts those of the container. A
    // message of one line says what stands in the way.
    Result<std::string> resolve(const Object& value_from, const Object& object, const Object& container);

  private:
    Result<std::string> value_in(const std::string& plural, const std::string& kind, const Object& reference);

    Session& session_;
    std::map<std::string, Object> read_;  // by their paths
};

}  // namespace keelson::cli::kube
