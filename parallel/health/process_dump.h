// What this process is doing right now: the stack of each thread, and the files it has open.
#pragma once

#include <string>
#include <vector>

namespace edt {

struct ThreadStack {
  long id = 0;
  std::string name;
  std::string state;     // of the kernel: "R" runs, "S" sleeps, "D" waits for a disk, ...
  std::string waits_in;  // the kernel function, where it says
  // Innermost first; empty when the thread did not answer (it is inside the kernel).
  std::vector<std::string> frames;
};

// All threads but the calling one. Interrupts each for a moment, by a signal.
std::vector<ThreadStack> thread_stacks();

// "7 /scratch/run/metrics.jsonl at 4096"
std::vector<std::string> open_files();

// The first call of the functions that unwind a stack allocates; later ones may come at any time.
void prepare_thread_stacks();

}  // namespace edt
