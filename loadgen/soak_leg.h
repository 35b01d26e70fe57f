/* One server under the scenario's load, from its start to its rest. Thread: the one that calls. */
#ifndef WEIR_LOADGEN_SOAK_LEG_H
#define WEIR_LOADGEN_SOAK_LEG_H

#include <weir/loadgen/run_record.h>
#include <weir/loadgen/scenario.h>

struct soak_options {
    const struct scenario *scenario;
    const char *program;                    /* path of this program, for its children */
    const char *log_dir;                    /* of what children say; lent */
    int attach_pid;                         /* 0: start the server */
    struct scenario_variable variables[24]; /* of --set, and more are added */
    size_t variable_count;
    bool is_json, is_terminal;
    volatile const int *is_interrupted;
};

/* record was initialised; its `broken` says what the run itself failed of. */
void soak_leg_run(const struct soak_options *o, const struct scenario_server *server, struct run_record *record);

#endif
