int function_of_an_absent_library();
int function_of_an_absent_library() { return 1; }
