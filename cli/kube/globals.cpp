#include "cli/kube/globals.h"

namespace keelson::cli::kube {

void add_global_flags(Flags& flags, Globals& globals) {
    flags.begin_globals();
    flags.text("kubeconfig", globals.kubeconfig, "Path to the kubeconfig file to use for CLI requests.");
    flags.text("context", globals.context, "The name of the kubeconfig context to use");
    flags.text("cluster", globals.cluster, "The name of the kubeconfig cluster to use");
    flags.text("user", globals.user, "The name of the kubeconfig user to use");
    flags.text("s,server", globals.server, "The address and port of the Kubernetes API server");
    flags.text("token", globals.token, "Bearer token for authentication to the API server");
    flags.text("username", globals.username, "Username for basic authentication to the API server");
    flags.text("password", globals.password, "Password for basic authentication to the API server");
    flags.text("certificate-authority", globals.certificate_authority,
               "Path to a cert file for the certificate authority");
    flags.text("client-certificate", globals.client_certificate, "Path to a client certificate file for TLS");
    flags.text("client-key", globals.client_key, "Path to a client key file for TLS");
    flags.text("tls-server-name", globals.tls_server_name,
               "Server name to use for server certificate validation instead of the server's host");
    flags.flag("insecure-skip-tls-verify", globals.is_insecure,
               "Do not check the server's certificate: whoever is between can read and change everything");
    flags.text("as", globals.as, "Username to impersonate for the operation");
    flags.array("as-group", globals.as_groups, "Group to impersonate for the operation, may be repeated");
    flags.text("as-uid", globals.as_uid, "UID to impersonate for the operation");
    flags.text("n,namespace", globals.namespace_name, "If present, the namespace scope for this CLI request");
    flags.text("request-timeout", globals.request_timeout,
               "How long to wait for one answer (such as 5s or 2m); 0 does not end the wait");
    flags.number("v,v", globals.verbosity, "6 and more tell on standard error what is asked of the server");
    flags.flag("warnings-as-errors", globals.warnings_as_errors,
               "End with exit code 1 when the server has sent a warning");
    flags.text("data-dir", globals.data_directory,
               "Use the admin's kubeconfig in the data directory of a keelsond on this machine");
    flags.flag("h,help", globals.wants_help, "Help for the command").is_hidden = true;
    for (const char* name :
         {"cache-dir", "vmodule", "stderrthreshold", "log-flush-frequency", "profile", "profile-output"})
        flags.text(name, globals.ignored, "Taken and not used").is_hidden = true;
}

}  // namespace keelson::cli::kube
