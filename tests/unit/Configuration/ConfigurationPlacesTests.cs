using PgBackup.Configuration;
using PgBackup.Configuration.Files;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Server;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Configuration;

public sealed class ConfigurationPlacesTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, string?> _environment = [];
    private readonly string _work;
    private readonly string _machine;
    private readonly string _user;

    public ConfigurationPlacesTests()
    {
        _work = _folder.Combine("work");
        _machine = _folder.Combine("machine");
        _user = _folder.Combine("home/.config/pgbackup");
        foreach (string place in new[] { _work, _machine, _user })
            Directory.CreateDirectory(place, (UnixFileMode)0b111_101_101);
        _environment["HOME"] = _folder.Combine("home");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheFirstFileIsTheOne()
    {
        Assert.Null(Places().Find());
        string machine = Write(_machine, "config.yaml", "m");
        Assert.Equal(machine, Places().Find()!.Value.Path);
        string user = Write(_user, "config.yaml", "u");
        Assert.Equal(user, Places().Find()!.Value.Path);
        string local = Write(_work, "pgbackup.yaml", "w");
        Assert.Equal(local, Places().Find()!.Value.Path);
        _environment["PGBACKUP_CONFIG"] = Write(_folder.Path, "variable.yaml", "v");
        Assert.Equal(_environment["PGBACKUP_CONFIG"], Places().Find()!.Value.Path);
        string named = Write(_folder.Path, "named.yaml", "n");
        Assert.Equal(named, Places("../named.yaml").Find()!.Value.Path);
        Assert.Equal("ConfigurationNotFound", Assert.Throws<PgBackupException>(() => Places("none.yaml").Find()).Id);
        _environment["PGBACKUP_CONFIG"] = "/no/where";
        Assert.Equal("ConfigurationNotFound", Assert.Throws<PgBackupException>(() => Places().Find()).Id);
        _environment["PGBACKUP_CONFIG"] = "/dev/null";
        Assert.Empty(Places().Load()!.RepositoryNames);
    }

    [Theory]
    [InlineData(0b110_110_110, 0b111_101_101)]
    [InlineData(0b110_110_100, 0b111_101_101)]
    [InlineData(0b110_100_100, 0b111_111_101)]
    [InlineData(0b110_100_100, 0b111_101_111)]
    public void AFileThatOthersCanWriteIsNotUsedFromTheWorkingFolder(int file, int folder)
    {
        File.SetUnixFileMode(Write(_work, "pgbackup.yaml", "w"), (UnixFileMode)file);
        File.SetUnixFileMode(_work, (UnixFileMode)folder);
        Assert.Equal("ConfigurationNotTrusted", Assert.Throws<PgBackupException>(() => Places().Load()).Id);
    }

    [Fact]
    public void AFileOfSomebodyElseIsNotFoundButMayBeNamed()
    {
        string path = Write(_work, "pgbackup.yaml", "w");
        Assert.True(Posix.IsRoot, "This test gives a file to another account, which needs root.");
        Posix.ChangeOwner(path, 65534, 65534);
        Assert.Equal("ConfigurationNotTrusted", Assert.Throws<PgBackupException>(() => Places().Load()).Id);
        Assert.NotNull(Places("pgbackup.yaml").Load());
        File.SetUnixFileMode(path, (UnixFileMode)0b110_110_110);
        Assert.Equal("ConfigurationNotTrusted", Assert.Throws<PgBackupException>(() => Places("pgbackup.yaml").Load()).Id);
    }

    [Theory]
    [InlineData("parameter", "variable", "default", "walg", "parameter")]
    [InlineData(null, "variable", "default", "walg", "variable")]
    [InlineData(null, null, "default", "walg", "default")]
    [InlineData(null, null, null, "walg", "walg")]
    [InlineData(null, null, null, null, null)]
    public void TheRepositoryComesFromTheFirstThatNamesOne(string? parameter, string? variable, string? usual, string? walg, string? expected)
    {
        string[] names = ["parameter", "variable", "default"];
        string file = "repositories:\n" + string.Concat(names.Select(name => $"  {name}: {{ location: /{name} }}\n")) + (usual is null ? "" : $"defaults: {{ repository: {usual} }}");
        File.WriteAllText(Path.Combine(_machine, "config.yaml"), file);
        _environment["PGBACKUP_REPOSITORY"] = variable;
        _environment["WALG_FILE_PREFIX"] = walg is null ? null : "/" + walg;
        if (expected is null)
        {
            PgBackupException error = Assert.Throws<PgBackupException>(() => Resolve(new RepositoryArguments()));
            Assert.Equal("RepositoryNotGiven", error.Id);
            Assert.Contains("variable", error.Hint, StringComparison.Ordinal);
            return;
        }
        RepositorySettings settings = Resolve(new RepositoryArguments { Repository = parameter });
        Assert.Equal("/" + expected, settings.Location);
        Assert.Equal(expected == "walg" ? null : expected, settings.Name);
    }

    [Theory]
    [InlineData("p", "f", "e", "p", "parameter")]
    [InlineData(null, "f", "e", "f", "file")]
    [InlineData(null, null, "e", "e", "environment AWS_REGION")]
    [InlineData(null, null, null, null, "default")]
    public void EachSettingComesFromTheFirstThatSaysIt(string? parameter, string? file, string? variable, string? expected, string source)
    {
        string path = Write(_machine, "config.yaml", "main", file is null ? "" : $", region: {file}");
        _environment["AWS_REGION"] = variable;
        RepositorySettings settings = Resolve(new RepositoryArguments { Repository = "main", Region = parameter });
        Assert.Equal(expected, ((S3Settings)settings.Storage).Region);
        Assert.Contains(new ConfigurationValue("region", expected, source == "file" ? path + ":1" : source), settings.Values);
    }

    [Fact]
    public void ALocationThatStandsInTheFileBringsItsSettings()
    {
        Write(_machine, "config.yaml", "main", ", region: eu, profile: p");
        _environment["AWS_ACCESS_KEY_ID"] = _environment["AWS_SECRET_ACCESS_KEY"] = "x";
        RepositorySettings settings = Resolve(new RepositoryArguments { Repository = "s3://main-bucket/" });
        Assert.Equal("main", settings.Name);
        Assert.Equal(("eu", "p", (S3Credential?)null), (((S3Settings)settings.Storage).Region, ((S3Settings)settings.Storage).ProfileName, ((S3Settings)settings.Storage).Credential));
        Assert.Null(Resolve(new RepositoryArguments { Repository = "s3://main-bucket/other" }).Name);
    }

    [Fact]
    public void ASlipInANameMakesNoFolder()
    {
        Write(_machine, "config.yaml", "main");
        PgBackupException error = Assert.Throws<PgBackupException>(() => Resolve(new RepositoryArguments { Repository = "mian" }));
        Assert.Equal("RepositoryNameUnknown", error.Id);
        Assert.Contains("Did you mean main?", error.Hint, StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(_work, "mian"));
        Assert.Equal(Path.Combine(_work, "mian"), Resolve(new RepositoryArguments { Repository = "mian" }).Location);
        Assert.Equal(Path.Combine(_work, "main"), Resolve(new RepositoryArguments { Repository = "./main" }).Location);
    }

    [Fact]
    public void AKeyFileOfTheFileGoesBeforeTheEnvironment()
    {
        File.WriteAllText(Path.Combine(_machine, "key"), new string('a', 64));
        File.WriteAllText(Path.Combine(_machine, "config.yaml"), "repositories: { a: { location: /a, encryption: { keyFile: key, keyTransform: hex } }, b: { location: /b } }");
        _environment["WALG_LIBSODIUM_KEY"] = new string('b', 40);
        byte[] own = [.. Enumerable.Repeat((byte)0xaa, 32)];
        Assert.Equal(own, Resolve(new RepositoryArguments { Repository = "a" }).Key!.Bytes.ToArray());
        Assert.NotEqual(own, Resolve(new RepositoryArguments { Repository = "b" }).Key!.Bytes.ToArray());
        Assert.Contains(new ConfigurationValue("encryption", "(set)", "environment WALG_LIBSODIUM_KEY"), Resolve(new RepositoryArguments { Repository = "b" }).Values);
    }

    [Fact]
    public void AServerComesFromParametersTheFileAndTheEnvironment()
    {
        File.WriteAllText(Path.Combine(_machine, "config.yaml"), "servers: { orders: { host: db1, port: 5433, passwordFile: pass, dataDirectory: /data }, other: { host: db2 } }\ndefaults: { server: orders }");
        _environment["PGHOST"] = "envhost";
        _environment["PGUSER"] = "envuser";
        ServerChoice Server(ServerConnectionSettings given) => ServerChoice.Resolve(new ServerArguments { Connection = given, WorkingFolder = _work }, Read, _machine);

        ServerChoice usual = Server(new ServerConnectionSettings { Port = 6000 });
        Assert.Equal(("db1", 6000, "envuser", Path.Combine(_machine, "pass"), "/data"),
            (usual.Connection.HostName, usual.Connection.Port, usual.Connection.UserName, usual.Connection.PasswordFile, usual.DataDirectory));
        Assert.Equal("db2", Server(new ServerConnectionSettings { HostName = "other" }).Connection.HostName);
        Assert.Equal(("db9", (int?)null), (Server(new ServerConnectionSettings { HostName = "db9" }).Connection.HostName, Server(new ServerConnectionSettings { HostName = "db9" }).Connection.Port));
        Assert.Null(Server(new ServerConnectionSettings { ConnectionString = "Host=x" }).Connection.HostName);
        _environment["PGBACKUP_SERVER"] = "other";
        Assert.Equal("db2", Server(new ServerConnectionSettings()).Connection.HostName);
        _environment["PGBACKUP_SERVER"] = "othr";
        Assert.Equal("ServerNameUnknown", Assert.Throws<PgBackupException>(() => Server(new ServerConnectionSettings())).Id);
    }

    [Fact]
    public void TheOverviewTellsEverySourceAndNoSecret()
    {
        string path = Write(_machine, "config.yaml", "main", ", region: eu");
        _environment["AWS_ACCESS_KEY_ID"] = "AKIA";
        _environment["AWS_SECRET_ACCESS_KEY"] = _environment["PGPASSWORD"] = "canary";
        IReadOnlyList<ConfigurationValue> values = ConfigurationOverview.Read(
            new RepositoryArguments { Repository = "main", WorkingFolder = _work }, new ServerArguments { WorkingFolder = _work }, Read, _machine);
        Assert.Contains(new ConfigurationValue("configuration", path, "machine"), values);
        Assert.Contains(new ConfigurationValue("repository", "main", "parameter"), values);
        Assert.Contains(new ConfigurationValue("repository.region", "eu", path + ":1"), values);
        Assert.Contains(new ConfigurationValue("repository.storageCredential", "AKIA", "environment AWS_ACCESS_KEY_ID"), values);
        Assert.Contains(new ConfigurationValue("repository.maxRetries", "15", "default"), values);
        Assert.Contains(new ConfigurationValue("server.password", "(set)", "environment PGPASSWORD"), values);
        Assert.DoesNotContain(values, value => value.ToString().Contains("canary", StringComparison.Ordinal));
    }

    private static string Write(string folder, string file, string name, string more = "")
    {
        string path = Path.Combine(folder, file);
        File.WriteAllText(path, $"repositories: {{ {name}: {{ location: 's3://{name}-bucket'{more} }} }}");
        File.SetUnixFileMode(path, (UnixFileMode)0b110_100_100);
        return path;
    }

    private ConfigurationPlaces Places(string? named = null) => new(named, _work, _machine, Read);

    private RepositorySettings Resolve(RepositoryArguments arguments) => RepositorySettings.Resolve(arguments with { WorkingFolder = _work }, Read, _machine);

    private string? Read(string name) => _environment.GetValueOrDefault(name);
}
