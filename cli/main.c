/* The program weft. */
#include "cli.h"

int main(int argc, char **argv)
{
    return cli_run(argc, argv, (FILE *const[3]){stdin, stdout, stderr});
}
