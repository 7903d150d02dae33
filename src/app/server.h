/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* The server process: everything that talks to the network. Returns its exit code. */
int server_main(int argc, char **argv);
