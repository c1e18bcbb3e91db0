#include "cli/kube/exec_credential.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/process.h"
#include "kernel/base/base64.h"

namespace keelson::cli::kube {
namespace {

std::string info_for(const Object& exec, const Server& server) {
    Object spec = {{"interactive", ::isatty(STDIN_FILENO) == 1}};
    if (member(exec, "provideClusterInfo") == Object(true))
        spec["cluster"] = {{"server", server.text()},
                           {"certificate-authority-data", base::base64_encode(server.authority)}};
    return compact({{"apiVersion", text_at(exec, "apiVersion")}, {"kind", "ExecCredential"}, {"spec", spec}});
}

Program program_of(const Object& exec, const Server& server) {
    Program program;
    program.is_captured = true;
    program.words.push_back(text_at(exec, "command"));
    for (const Object& word : member(exec, "args"))
        if (word.is_string()) program.words.push_back(word.get<std::string>());
    for (const Object& variable : member(exec, "env"))
        program.environment[text_at(variable, "name")] = text_at(variable, "value");
    program.environment["KUBERNETES_EXEC_INFO"] = info_for(exec, server);
    return program;
}

}  // namespace

Result<void> run_exec_credential(const Object& exec, Server& server) {
    const std::string command = text_at(exec, "command");
    const auto ended = run_program(program_of(exec, server));
    const std::string hint = text_at(exec, "installHint");
    if (!ended)
        return fail("getting credentials: exec: " + ended.error().message +
                    (hint.empty() ? "" : "\n" + hint));
    if (ended->code != 0)
        return fail("getting credentials: exec: executable " + command + " failed with exit code " +
                    std::to_string(ended->code));
    const auto answer = parse_object(ended->output, "getting credentials: what " + command + " prints");
    if (!answer) return pass_on(answer);
    const Object& status = member(*answer, "status");
    server.token = text_at(status, "token");
    if (!text_at(status, "clientCertificateData").empty()) {
        server.certificate = text_at(status, "clientCertificateData");
        server.key = text_at(status, "clientKeyData");
    }
    if (server.token.empty() && server.certificate.empty())
        return fail("getting credentials: exec: " + command + " gave neither a token nor a certificate");
    return {};
}

}  // namespace keelson::cli::kube
