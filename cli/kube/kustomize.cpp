// keelctl kustomize, and what -k stands for
#include "cli/kube/kustomize.h"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string_view>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/output.h"
#include "cli/process.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

bool is_installed(const std::string& program) {
    const char* list = std::getenv("PATH");
    std::string_view left = list == nullptr ? "" : list;
    while (!left.empty()) {
        const std::size_t colon = left.find(':');
        const std::string path = std::string(left.substr(0, colon)) + "/" + program;
        if (::access(path.c_str(), X_OK) == 0) return true;
        left = colon == std::string_view::npos ? "" : left.substr(colon + 1);
    }
    return false;
}

std::optional<std::vector<std::string>> builder() {
    if (is_installed("kustomize")) return {{"kustomize", "build"}};
    if (is_installed("kubectl")) return {{"kubectl", "kustomize"}};
    return std::nullopt;
}

class Kustomize : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.text("o,output", output_, "A file to write to instead of standard output");
    }

    Result<void> run(Session& /*session*/, const Words& words) override {
        if (words.words.size() > 1) return misused("specify one path to a kustomization directory");
        const auto built = build_kustomization(words.words.empty() ? "." : words.words.front());
        if (!built) return pass_on(built);
        if (output_.empty()) {
            print(*built);
            return {};
        }
        if (auto written = base::write_file_atomic(output_, *built, 0644); !written)
            return fail(output_ + ": " + written.error().message());
        return {};
    }

  private:
    std::string output_;
};

}  // namespace

Result<std::string> build_kustomization(const std::string& directory) {
    auto words = builder();
    if (!words)
        return fail(
            "keelctl leaves kustomizations to the programs kustomize and kubectl, and neither is installed: "
            "install one, or give what they print elsewhere to -f");
    words->push_back(directory);
    auto ended = run_program({.words = std::move(*words), .environment = {}, .is_captured = true});
    if (!ended) return pass_on(ended);
    if (ended->code != 0) return fail("", exit_failure);
    return std::move(ended->output);
}

void add_kustomize_command(Registry& registry) {
    registry.add<Kustomize>("kustomize", "Advanced Commands", "[DIR]",
                            "Print what a kustomization comes to, as kustomize or kubectl builds it");
}

}  // namespace keelson::cli::kube
