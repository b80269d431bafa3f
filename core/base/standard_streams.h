// Standard input, output and error, which may be closed, broken, full, or read by nobody.
#pragma once

#include <string_view>

namespace edt {

// Takes the descriptors 0 to 2 that are closed, so that no file which is opened later gets one of
// them, and with it what is meant for a terminal. Such an input is at its end; such outputs cannot
// be written. And a pipe that nobody reads any longer is an error of write(), not the end of the
// program. First thing in main().
void take_standard_streams();

// Whether standard output is a pipe whose reader has gone (head, a pager that was left), or a
// terminal that is closed: writing fails, and nobody misses what would be written.
bool standard_output_has_no_reader();

// The errno of one more byte to standard output, which has failed; 0 where it takes it now. A
// stream does not keep what the system has said.
int standard_output_error();

// Whether standard error takes a line now. A reader that stands still (a full pipe, a terminal that
// was stopped by Ctrl-S) is waited for a second, and from then on not at all until it reads again.
bool standard_error_takes_lines();

// A last line, where standard error takes it: past the lock of the stream, which a thread that
// waits for a reader would hold.
void write_standard_error(std::string_view line);

}  // namespace edt
