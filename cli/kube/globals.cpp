#include "cli/kube/globals.h"

namespace keelson::cli::kube {

void add_global_flags(Flags& flags, Globals& globals) {
    flags.begin_globals();
    flags.text("kubeconfig", globals.kubeconfig, "The kubeconfig file");
    flags.text("context", globals.context, "Which of the kubeconfig's contexts");
    flags.text("cluster", globals.cluster, "Which of its clusters");
    flags.text("user", globals.user, "Which of its users");
    flags.text("s,server", globals.server, "Where the server answers, like https://HOST:6443");
    flags.text("token", globals.token, "A token that tells who one is");
    flags.text("username", globals.username, "A name that tells who one is, with --password");
    flags.text("password", globals.password, "The password of --username");
    flags.text("certificate-authority", globals.certificate_authority,
               "A file with the authority of the server's certificate");
    flags.text("client-certificate", globals.client_certificate,
               "A file with the certificate that tells who one is");
    flags.text("client-key", globals.client_key, "A file with that certificate's key");
    flags.text("tls-server-name", globals.tls_server_name,
               "The name that the server's certificate must be for; the host of --server otherwise");
    flags.flag("insecure-skip-tls-verify", globals.is_insecure,
               "Do not check the server's certificate: whoever is between can read and change everything");
    flags.text("as", globals.as, "Ask as this user");
    flags.array("as-group", globals.as_groups, "Ask as a member of this group; may be given again");
    flags.text("as-uid", globals.as_uid, "Ask as the user with this uid");
    flags.text("n,namespace", globals.namespace_name, "The namespace to work in");
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
