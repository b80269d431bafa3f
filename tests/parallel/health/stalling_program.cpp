// Ranks under mpirun of which one stalls: stalling_program HOW RANK DIRECTORY
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "parallel/comm/mpi/mpi_session.h"
#include "parallel/health/watchdog.h"

namespace {

void stall(std::string_view how) {
  if (how == "sleeps") std::this_thread::sleep_for(std::chrono::seconds(60));
  if (how == "freezes") kill(getpid(), SIGSTOP);
}

}  // namespace

int main(int, char** argv) {
  const edt::MpiSession session;
  const auto world = session.world();
  const auto recorder = std::make_shared<edt::FlightRecorder>();
  edt::WatchdogOptions options;
  // Ranks that work may be slow on a full machine.
  options.timeout = edt::Seconds(std::string(argv[1]) == "works" ? 60 : 4);
  options.directory = argv[3];
  edt::Watchdog watchdog(*world, recorder, options);
  const auto data = world->split(0, 0, "data");
  for (int step = 0; step < 5; ++step) {
    recorder->phase("forward");
    if (step == 3 && world->rank() == std::stoi(argv[2])) stall(argv[1]);
    recorder->phase("backward");
    data->all_reduce_value(1.0f, edt::Reduce::kSum, "gradients of blocks.3");
    if (step == 0) watchdog.first_step_done();
  }
  return 0;
}
