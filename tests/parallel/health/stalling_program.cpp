// Ranks under mpirun of which one stalls: stalling_program HOW RANK DIRECTORY
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "parallel/comm/mpi/mpi_session.h"
#include "parallel/health/watchdog.h"

namespace {

// What the library does with messages of threads other than the first.
enum class Library { kWorks, kSticks, kFails };
std::atomic<Library> library = Library::kWorks;
const std::thread::id first_thread = std::this_thread::get_id();

void stall(std::string_view how) {
  const auto sleep = [](int seconds) {
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
  };
  if (how == "freezes") kill(getpid(), SIGSTOP);
  if (how == "sticks") sleep(2);  // the others are heard of
  if (how == "sticks") library = Library::kSticks;
  if (how == "fails") library = Library::kFails;
  if (how != "works" && how != "stays") sleep(60);
}

}  // namespace

// In the place of the library's own, by MPI's profiling interface.
extern "C" int MPI_Isend(const void* buffer, int count, MPI_Datatype type, int to, int tag,
                         MPI_Comm comm, MPI_Request* request) {
  if (std::this_thread::get_id() != first_thread) {
    if (library == Library::kFails) return MPI_ERR_OTHER;
    while (library == Library::kSticks) std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return PMPI_Isend(buffer, count, type, to, tag, comm, request);
}

int main(int, char** argv) {
  const std::string how = argv[1];
  edt::MpiSession session;
  const auto world = session.world();
  const bool is_the_one = world->rank() == std::stoi(argv[2]);
  if (how == "stays") session.limit_end(edt::Seconds(2), 5, world->name());
  {
    const auto recorder = std::make_shared<edt::FlightRecorder>();
    edt::WatchdogOptions options;
    options.status = how == "sticks" || how == "fails" ? 5 : 1;
    // Ranks that work may be slow on a full machine, and those that notice too are not asked here.
    const bool is_patient =
        how == "works" || how == "stays" || (options.status == 5 && !is_the_one);
    options.timeout = edt::Seconds(is_patient ? 60 : 4);
    options.directory = argv[3];
    edt::Watchdog watchdog(*world, recorder, options);
    const auto data = world->split(0, 0, "data");
    for (int step = 0; step < 5; ++step) {
      recorder->phase("forward");
      if (step == 3 && is_the_one) stall(how);
      recorder->phase("backward");
      data->all_reduce_value(1.0f, edt::Reduce::kSum, "gradients of blocks.3");
      if (step == 0) watchdog.first_step_done();
    }
  }
  if (how == "stays" && is_the_one) std::this_thread::sleep_for(std::chrono::seconds(60));
  return 0;
}
