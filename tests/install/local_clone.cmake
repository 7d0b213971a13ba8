# cmake -D SOURCE=<solopo> -D CLONE=<folder> -D GIT=<git> -P local_clone.cmake
# Makes a git repository of what a consumer needs, from the files as they are now, committed or not.
file(REMOVE_RECURSE ${CLONE})
file(COPY ${SOURCE}/CMakeLists.txt ${SOURCE}/LICENSE ${SOURCE}/cmake ${SOURCE}/include DESTINATION ${CLONE})
foreach(arguments "init;-q;-b;main" "add;."
        "-c;user.name=test;-c;user.email=test@example.org;commit;-q;--no-gpg-sign;-m;Copy")
  execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=GIT_DIR --unset=GIT_WORK_TREE --unset=GIT_INDEX_FILE
                          ${GIT} -C ${CLONE} ${arguments} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
