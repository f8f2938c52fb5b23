using Amazon.S3;
using PgBackup.TestServers;

if (RunOptions.Parse(args) is not { } options)
{
    Console.Error.WriteLine(RunOptions.Usage);
    return 2;
}
try
{
    await RunningStore.RunAsync(options);
    return 0;
}
catch (Exception error) when (error is InvalidOperationException or AmazonS3Exception)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}
