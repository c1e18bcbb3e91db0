// A kit that is built with AddressSanitizer still has to see its plugins crash the way that they do
// elsewhere.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
    return "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0:detect_leaks=0:"
           "use_sigaltstack=0";
}
