// Differences of objects, shown by the program diff or by what KUBECTL_EXTERNAL_DIFF names.
#pragma once

#include <string>

#include "cli/kube/object.h"
#include "cli/process.h"

namespace keelson::cli::kube {

class Difference {
  public:
    static Result<Difference> make();
    // Null is an object that is not there. Values of secrets are not shown, only whether they differ.
    Result<void> add(const std::string& name, Object before, Object after);
    // A silent failure with exit code 1 when there are differences.
    Result<void> show();

  private:
    Difference(TemporaryDirectory before, TemporaryDirectory after)
        : before_(std::move(before)), after_(std::move(after)) {}
    TemporaryDirectory before_, after_;
};

}  // namespace keelson::cli::kube
