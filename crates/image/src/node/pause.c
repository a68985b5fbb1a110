/*
 * The process that holds a pod's namespaces: it sleeps, buries the pod's orphans, and ends when told to.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal_number) {
	(void)signal_number;
	_exit(0);
}

static void bury(int signal_number) {
	(void)signal_number;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(void) {
	struct sigaction ending = {.sa_handler = end};
	struct sigaction burying = {.sa_handler = bury, .sa_flags = SA_NOCLDSTOP | SA_RESTART};

	if (sigaction(SIGINT, &ending, NULL) != 0 || sigaction(SIGTERM, &ending, NULL) != 0 ||
	    sigaction(SIGCHLD, &burying, NULL) != 0)
		return 1;
	for (;;)
		pause();
}
